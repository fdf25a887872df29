import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Properties;
import java.util.TreeSet;

/** Reads each argument as the launcher does, and prints what Java took from it: keys and values in hex digits, sorted, a line each. */
public final class PrintProperties {
    public static void main(String[] args) throws Exception {
        for (String base64 : args) {
            Properties options = new Properties();
            options.load(new StringReader(new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8)));
            for (String key : new TreeSet<>(options.stringPropertyNames())) {
                System.out.println(hex(key) + "=" + hex(options.getProperty(key)));
            }
        }
    }

    private static String hex(String text) {
        StringBuilder digits = new StringBuilder();
        for (char unit : text.toCharArray()) {
            digits.append(String.format("%04x", (int) unit));
        }
        return digits.toString();
    }
}
