import com.github.javacliparser.ClassOption;
import com.yahoo.labs.samoa.instances.Instance;
import java.nio.file.*;
import moa.options.AbstractOptionHandler;
import moa.streams.ExampleStream;

/**
 * Prints what moa.txt holds: for each line "SPEC | MOA STREAM" of the file named by the first argument the same line, three rows as the bits of
 * their doubles, and the FNV-1a hash of the bits of 20,000 rows. Run with MOA and its dependencies on the class path:
 *
 *   java -cp MOA_JARS testdata/Pin.java testdata/streams.txt > testdata/moa.txt
 */
public class Pin {
    public static void main(String[] args) throws Exception {
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            if (line.isBlank()) continue;
            String moa = line.substring(line.indexOf('|') + 1).trim();
            ExampleStream<?> s = (ExampleStream<?>) ClassOption.cliStringToObject(moa, ExampleStream.class, null);
            if (s instanceof AbstractOptionHandler) ((AbstractOptionHandler) s).prepareForUse();
            System.out.println(line);
            long hash = 0xcbf29ce484222325L;
            for (int i = 0; i < 20000; i++) {
                Instance x = (Instance) s.nextInstance().getData();
                StringBuilder row = new StringBuilder();
                int n = x.numAttributes();
                for (int j = 0; j < n; j++) {
                    // The class is the last attribute of all streams here.
                    long b = Double.doubleToLongBits(j == n - 1 ? x.classValue() : x.value(j));
                    for (int k = 0; k < 8; k++) {
                        hash ^= (b >>> (8 * k)) & 0xff;
                        hash *= 0x100000001b3L;
                    }
                    row.append(j == 0 ? "" : " ").append(Long.toHexString(b));
                }
                if (i < 3) System.out.println(row);
            }
            System.out.println("fnv1a " + Long.toHexString(hash));
        }
    }
}
