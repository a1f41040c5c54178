import com.github.javacliparser.ClassOption;
import com.yahoo.labs.samoa.instances.*;
import java.io.*;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.zip.GZIPInputStream;
import moa.classifiers.Classifier;

/**
 * Times MOA's classifiers on a CSV file of numbers whose last column is a class: one JSON object {"moa MODEL": ns} a line.
 * MoaTimes FILE LIMIT [NAMES] (0: all rows; names separated by commas, else all). Processor time of the thread for predict and learn in the last of three runs in one JVM, rows parsed beforehand.
 */
public class MoaTimes {
    public static void main(String[] args) throws Exception {
        List<String[]> rows = new ArrayList<>();
        InputStream in = new FileInputStream(args[0]);
        if (args[0].endsWith(".gz")) in = new GZIPInputStream(in);
        BufferedReader r = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
        String[] head = r.readLine().split(",");
        int limit = Integer.parseInt(args[1]);
        for (String line; (line = r.readLine()) != null && (limit == 0 || rows.size() < limit); ) rows.add(line.split(","));
        int n = head.length - 1;
        List<String> labels = new ArrayList<>(new TreeSet<>(rows.stream().map(x -> x[n]).toList()));
        ArrayList<Attribute> attributes = new ArrayList<>();
        for (int i = 0; i < n; i++) attributes.add(new Attribute(head[i]));
        attributes.add(new Attribute("class", labels));
        InstancesHeader header = new InstancesHeader(new Instances("data", attributes, 0));
        header.setClassIndex(n);
        List<Instance> data = new ArrayList<>();
        for (String[] row : rows) {
            DenseInstance x = new DenseInstance(n + 1);
            x.setDataset(header);
            for (int i = 0; i < n; i++) x.setValue(i, Double.parseDouble(row[i]));
            x.setClassValue(labels.indexOf(row[n]));
            data.add(x);
        }
        String[][] models = {
            {"logistic", "functions.SGD -o 1 -r .005", "3"}, {"gaussian_nb", "bayes.NaiveBayes", "3"}, {"hoeffding_tree", "trees.HoeffdingTree", "3"},
            {"hoeffding_adaptive_tree", "trees.HoeffdingAdaptiveTree", "3"}, {"knn", "lazy.kNN -k 10 -w 1000", "1"},
            {"leveraging_bagging", "meta.LeveragingBag -s 10", "2"}, {"adaptive_random_forest", "meta.AdaptiveRandomForest -s 10", "2"},
            {"adaptive_random_forest_100", "meta.AdaptiveRandomForest -s 100", "1"}, {"streaming_random_patches", "meta.StreamingRandomPatches -s 10", "1"},
        };
        var clock = ManagementFactory.getThreadMXBean();
        Set<String> asked = args.length > 2 ? Set.of(args[2].split(",")) : null;
        for (String[] m : models) {
            if (asked != null && !asked.contains(m[0])) continue;
            double ns = 0;
            for (int run = Integer.parseInt(m[2]); run > 0; run--) {
                Classifier c = (Classifier) ClassOption.cliStringToObject(m[1], Classifier.class, null);
                c.setModelContext(header);
                c.prepareForUse();
                c.resetLearning();
                long begin = clock.getCurrentThreadCpuTime();
                for (Instance x : data) {
                    c.getVotesForInstance(x);
                    c.trainOnInstance(x);
                }
                ns = (double) (clock.getCurrentThreadCpuTime() - begin) / data.size();
            }
            System.out.println("{\"moa " + m[0] + "\": " + ns + "}");
        }
    }
}
