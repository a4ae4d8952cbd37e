using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

/// <summary>Shapes of meshes that the catalogue does not have: each must be a further file, without further code.</summary>
public sealed class OtherMeshesTests
{
    [Fact]
    public void A_label_may_be_packed_otherwise_for_each_kind()
    {
        // The old Istio adapter of smi-metrics.
        MeshDescriptor mesh = DescriptorReader.Read(
            """
            name: other
            title: Other
            outcome: {success: ['response_code="200"']}
            server:
              requests: istio_smi_requests_total
              latency: {histogram: istio_smi_request_duration_seconds, unit: s}
              destination:
                namespace: destination_workload_namespace
                packed:
                  - {label: destination_owner, pattern: "kubernetes://apis/apps/v1/namespaces/{namespaces}/deployments/{deployments}"}
                  - {label: destination_owner, pattern: "kubernetes://apis/apps/v1/namespaces/{namespaces}/statefulsets/{statefulsets}"}
                  - {label: destination_uid, pattern: "kubernetes://{pods}.{namespaces}"}
            """,
            "other.yaml");
        Assert.Equal(
            [
                "deployments: destination_owner as kubernetes://apis/apps/v1/namespaces/{namespaces}/deployments/{deployments}",
                "namespaces: destination_workload_namespace",
                "pods: destination_uid as kubernetes://{pods}.{namespaces}",
                "statefulsets: destination_owner as kubernetes://apis/apps/v1/namespaces/{namespaces}/statefulsets/{statefulsets}",
            ],
            mesh.Server!.Destination.Show());
    }
}
