import jakarta.servlet.MultipartConfigElement;
import java.nio.file.Path;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.servlets.DefaultServlet;
import org.apache.catalina.startup.Tomcat;
import org.apache.catalina.valves.RemoteIpValve;

/** Serves the shop on embedded Tomcat 10 with Tomcat's own RemoteIpValve: TomcatShop DIR. */
public final class TomcatShop {
    public static void main(String[] arguments) throws Exception {
        var scratch = Path.of(arguments[0]);
        var connector = new Connector("org.apache.coyote.http11.Http11NioProtocol");
        connector.setPort(0);
        connector.setProperty("address", "127.0.0.1");

        var tomcat = new Tomcat();
        tomcat.setBaseDir(scratch.toString());
        tomcat.setConnector(connector);
        var valve = new RemoteIpValve();
        valve.setProtocolHeader("X-Forwarded-Proto");
        valve.setPortHeader("X-Forwarded-Port");
        tomcat.getEngine().getPipeline().addValve(valve);

        var context = tomcat.addContext("", scratch.resolve("www").toString());
        // Its default, a path, would hide whether Tomcat knows its own address.
        context.setUseRelativeRedirects(false);
        Tomcat.addServlet(context, "files", new DefaultServlet());
        context.addServletMappingDecoded("/static/*", "files");
        var shop = Tomcat.addServlet(context, "shop", new Shop());
        shop.setMultipartConfigElement(new MultipartConfigElement(scratch.toString(), -1, -1, 1 << 16));
        context.addServletMappingDecoded("/*", "shop");
        tomcat.start();

        System.out.println("listening tcp 127.0.0.1:" + connector.getLocalPort());
        tomcat.getServer().await();
    }
}
