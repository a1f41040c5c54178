import com.github.javacliparser.ClassOption;
import com.yahoo.labs.samoa.instances.*;
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.zip.GZIPInputStream;
import moa.classifiers.AbstractClassifier;
import moa.classifiers.Classifier;
import moa.streams.ExampleStream;

/**
 * What MOA's classifiers reach on a stream, in the order of its rows, predicted before learned, the first row counted: one JSON object {"moa SEED DELAY": accuracy} a line.
 * MoaAccuracy STREAM CATEGORICAL SEEDS DELAY LIMIT CLASSIFIER: a CSV file whose last column is the class, or generator:COMMAND; names of columns that hold categories, by commas; labels come at once
 * and DELAY rows late; LIMIT 0: all rows of a file.
 */
public class MoaAccuracy {
    public static void main(String[] args) throws Exception {
        int seeds = Integer.parseInt(args[2]), delay = Integer.parseInt(args[3]), limit = Integer.parseInt(args[4]);
        List<Instance> data = new ArrayList<>();
        InstancesHeader header = args[0].startsWith("generator:") ? generate(args[0].substring(10), limit, data) : read(args[0], Set.of(args[1].split(",")), limit, data);
        double before = -1;
        for (int seed = 1; seed <= seeds; seed++) {
            double now = 0;
            for (int d : new int[] {0, delay}) {
                Classifier c = (Classifier) ClassOption.cliStringToObject(args[5], Classifier.class, null);
                if (c instanceof AbstractClassifier a && a.isRandomizable()) a.setRandomSeed(seed);
                c.setModelContext(header);
                c.prepareForUse();
                c.resetLearning();
                int right = 0;
                for (int i = 0; i < data.size(); i++) {
                    Instance x = data.get(i);
                    if (best(c.getVotesForInstance(x)) == (int) x.classValue()) right++;
                    if (i >= d) c.trainOnInstance(data.get(i - d));
                }
                double share = (double) right / data.size();
                if (d == 0) now = share;
                System.out.println("{\"moa " + seed + " " + d + "\": " + share + "}");
            }
            if (now == before) break; // it draws nothing
            before = now;
        }
    }

    /** The first of the greatest votes; 0 without any. */
    static int best(double[] votes) {
        int at = 0;
        for (int i = 1; i < votes.length; i++) if (votes[i] > votes[at]) at = i;
        return at;
    }

    static InstancesHeader generate(String command, int rows, List<Instance> data) throws Exception {
        ExampleStream<?> s = (ExampleStream<?>) ClassOption.cliStringToObject(command, ExampleStream.class, null);
        if (s instanceof moa.options.OptionHandler o) o.prepareForUse();
        for (int i = 0; i < rows; i++) data.add((Instance) s.nextInstance().getData());
        return s.getHeader();
    }

    static InstancesHeader read(String path, Set<String> nominal, int limit, List<Instance> data) throws Exception {
        List<String[]> rows = new ArrayList<>();
        InputStream in = new FileInputStream(path);
        if (path.endsWith(".gz")) in = new GZIPInputStream(in);
        BufferedReader r = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
        String[] head = r.readLine().split(",");
        for (String line; (line = r.readLine()) != null && (limit == 0 || rows.size() < limit); ) rows.add(line.split(","));
        List<List<String>> places = new ArrayList<>();
        ArrayList<Attribute> attributes = new ArrayList<>();
        for (int i = 0; i < head.length; i++) {
            int column = i;
            boolean category = i == head.length - 1 || nominal.contains(head[i]);
            places.add(category ? new ArrayList<>(new TreeSet<>(rows.stream().map(x -> x[column]).toList())) : null);
            attributes.add(category ? new Attribute(head[i], places.get(i)) : new Attribute(head[i]));
        }
        InstancesHeader header = new InstancesHeader(new Instances("data", attributes, 0));
        header.setClassIndex(head.length - 1);
        for (String[] row : rows) {
            DenseInstance x = new DenseInstance(head.length);
            x.setDataset(header);
            for (int i = 0; i < head.length; i++) x.setValue(i, places.get(i) != null ? places.get(i).indexOf(row[i]) : Double.parseDouble(row[i]));
            data.add(x);
        }
        return header;
    }
}
