namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>The meshes of the catalogue beside Linkerd and Istio.</summary>
internal static class Catalogues
{
    public static readonly IReadOnlyList<CatalogueMesh> All =
    [
        new ConsulMesh(Topology.OfCatalogue("consul-shop", "consul-billing", firstNumber: 200, prefix: "c-", sameNames: false)),
        new KumaMesh(Topology.OfCatalogue("kuma-demo", "kuma-billing", firstNumber: 300)),
        new Kuma3Mesh(Topology.OfCatalogue("kuma3-demo", "kuma3-billing", firstNumber: 320)),
        new AppMeshMesh(Topology.OfCatalogue("appmesh-shop", "appmesh-billing", firstNumber: 340)),
        new NginxServiceMeshMesh(Topology.OfCatalogue("nsm-shop", "nsm-billing", firstNumber: 360)),
        new OsmMesh(Topology.OfCatalogue("osm-shop", "osm-billing", firstNumber: 400)),
        new OsmEdgeMesh(Topology.OfCatalogue("edge-shop", "edge-billing", firstNumber: 420)),
        new TraefikMesh(Topology.OfCatalogue("traefik-shop", "traefik-billing", firstNumber: 440)),
        new IstioAmbientMesh(Topology.OfCatalogue("ambient-shop", "ambient-billing", firstNumber: 460)),
        new GlooMesh(Topology.OfCatalogue("gloo-shop", "gloo-billing", firstNumber: 480)),
        new CiliumMesh(Topology.OfCatalogue("cilium-shop", "cilium-billing", firstNumber: 520)),
        new BeylaMesh(Topology.OfCatalogue("beyla-shop", "beyla-billing", firstNumber: 540, prefix: "b-")),
        new ServiceGraphMesh(Topology.OfCatalogue("graph-shop", "graph-billing", firstNumber: 560)),
        new BeylaServiceGraphMesh(Topology.OfCatalogue("beyla-graph-shop", "beyla-graph-billing", firstNumber: 580)),
        new GatewayApiMesh(Topology.OfCatalogue("routes-shop", "routes-billing", firstNumber: 600)),
    ];

    public static CatalogueMesh Find(string name) => All.Single(mesh => mesh.Name == name);
}
