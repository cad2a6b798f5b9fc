import jakarta.servlet.MultipartConfigElement;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/** Serves the servlet site on embedded Tomcat 10: TomcatSite tcp|unix DIR PAGE. */
public final class TomcatSite {
    public static void main(String[] arguments) throws Exception {
        Path scratch = Path.of(arguments[1]);
        Path socket = scratch.resolve("tomcat.sock");
        boolean unix = arguments[0].equals("unix");

        var connector = new Connector("org.apache.coyote.http11.Http11NioProtocol");
        connector.setMaxPostSize(-1);
        connector.setProperty("maxSwallowSize", "-1");
        if (unix) {
            Files.deleteIfExists(socket);
            connector.setProperty("unixDomainSocketPath", socket.toString());
        } else {
            connector.setPort(0);
            connector.setProperty("address", "127.0.0.1");
        }

        var tomcat = new Tomcat();
        tomcat.setBaseDir(scratch.toString());
        tomcat.setConnector(connector);
        var context = tomcat.addContext("", scratch.toString());
        var site = Tomcat.addServlet(context, "site", new Site(Files.readAllBytes(Path.of(arguments[2]))));
        site.setMultipartConfigElement(new MultipartConfigElement(scratch.toString(), -1, -1, 1 << 16));
        context.addServletMappingDecoded("/*", "site");
        Echo.addTo(context);
        tomcat.start();

        System.out.println(unix ? "listening unix " + socket : "listening tcp 127.0.0.1:" + connector.getLocalPort());
        tomcat.getServer().await();
    }
}
