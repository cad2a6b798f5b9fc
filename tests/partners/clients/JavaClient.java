import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** One HTTPS request by java.net.http, answered as one line of JSON; arguments as in the README. */
public final class JavaClient {
    private static final int SHOWN = 65536;

    public static void main(String[] arguments) throws Exception {
        var client = HttpClient.newBuilder();
        var request = HttpRequest.newBuilder();
        String method = "GET";
        var body = BodyPublishers.noBody();

        for (Iterator<String> rest = Arrays.asList(arguments).iterator(); rest.hasNext(); ) {
            String argument = rest.next();
            switch (argument) {
                case "--ca" -> client.sslContext(trusting(Path.of(rest.next())));
                case "--http1" -> client.version(HttpClient.Version.HTTP_1_1);
                case "--http2" -> client.version(HttpClient.Version.HTTP_2);
                case "--method" -> method = rest.next();
                case "--body-file" -> body = BodyPublishers.ofFile(Path.of(rest.next()));
                case "--header" -> {
                    String[] header = rest.next().split(":", 2);
                    request.header(header[0], header[1].trim());
                }
                case "--address" -> resolveTo(rest.next(), arguments);
                default -> request.uri(URI.create(argument));
            }
        }

        var response = client.build().send(request.method(method, body).build(), BodyHandlers.ofInputStream());
        var headers = new ArrayList<List<String>>();
        response.headers().map().forEach((name, values) -> values.forEach(value -> headers.add(List.of(name, value))));
        headers.removeIf(header -> header.get(0).startsWith(":"));
        var answer = new LinkedHashMap<String, Object>();
        answer.put("status", response.statusCode());
        answer.put("version", response.version() == HttpClient.Version.HTTP_2 ? "2" : "1.1");
        answer.put("headers", headers);
        readBody(response.body(), answer);
        new PrintStream(System.out, true, StandardCharsets.UTF_8).println(Json.write(answer));
        System.exit(0);
    }

    private static void readBody(InputStream body, LinkedHashMap<String, Object> answer) throws Exception {
        var digest = MessageDigest.getInstance("SHA-256");
        var shown = new ByteArrayOutputStream();
        long bytes = 0;
        byte[] piece = new byte[SHOWN];
        for (int n; (n = body.read(piece)) >= 0; bytes += n) {
            digest.update(piece, 0, n);
            if (bytes + n < SHOWN) {
                shown.write(piece, 0, n);
            }
        }
        answer.put("body_sha256", HexFormat.of().formatHex(digest.digest()));
        answer.put("bytes", bytes);
        answer.put("body", bytes < SHOWN ? text(shown.toByteArray()) : null);
    }

    /** The bytes as text, or nothing if they are none. */
    private static String text(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }

    private static SSLContext trusting(Path ca) throws Exception {
        var store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream pem = Files.newInputStream(ca)) {
            for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
                store.setCertificateEntry("ca" + store.size(), certificate);
            }
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    /** Makes the host of the URL resolve to this address, by a hosts file that only this process reads. */
    private static void resolveTo(String address, String[] arguments) throws Exception {
        String url = Arrays.stream(arguments).filter(argument -> argument.startsWith("https://")).findFirst().orElseThrow();
        Path hosts = Files.createTempFile("hosts", "");
        hosts.toFile().deleteOnExit();
        Files.writeString(hosts, address + " " + URI.create(url).getHost() + "\n");
        System.setProperty("jdk.net.hosts.file", hosts.toString());
    }
}
