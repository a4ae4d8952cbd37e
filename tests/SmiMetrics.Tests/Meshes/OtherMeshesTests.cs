using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

/// <summary>The shapes of meshes that are not in the catalogue: each must be a further file, without further code.</summary>
public sealed class OtherMeshesTests
{
    [Theory]
    [InlineData(
        "different series on each side, receiver known by its pod, sender's peer not at all (Consul)",
        """
        outcome: {failure: ['envoy_response_code_class="5"']}
        server:
          requests: envoy_http_downstream_rq_xx
          latency: {histogram: envoy_http_downstream_rq_time, unit: ms}
          where: ['envoy_http_conn_manager_prefix="public_listener"']
          destination: {namespace: namespace, kinds: {pods: pod, nodes: node}, workload: {through: pods}}
        client:
          requests: envoy_cluster_upstream_rq_xx
          latency: {histogram: envoy_cluster_upstream_rq_time, unit: ms}
          where: ['consul_destination_service!=""']
          source: {namespace: namespace, kinds: {pods: pod, nodes: node}, workload: {through: pods}}
        """)]
    [InlineData(
        "client only, kind and name, encoded (OSM)",
        """
        outcome: {failure: ['response_code=~"5.."']}
        unknown: [unknown]
        client:
          requests: osm_request_total
          latency: {histogram: osm_request_duration_ms, unit: ms}
          source:
            namespace: source_namespace
            kinds: {pods: source_pod, replicasets: {through: pods}, nodes: {through: pods}}
            workload: {kind: source_kind, name: source_name}
            encoding: {"-": "_", ".": "_"}
          destination:
            namespace: destination_namespace
            kinds: {pods: destination_pod, replicasets: {through: pods}, services: {through: pods}, nodes: {through: pods}}
            workload: {kind: destination_kind, name: destination_name}
            encoding: {"-": "_", ".": "_"}
        """)]
    [InlineData(
        "one counter for both sides, packed names (Kuma 2)",
        """
        outcome: {failure: ['envoy_response_code_class="5"']}
        server:
          requests: envoy_cluster_upstream_rq_xx
          latency: {histogram: envoy_cluster_upstream_rq_time, unit: ms}
          where: ['envoy_cluster_name=~"localhost_.*"']
          destination: {namespace: k8s_kuma_io_namespace, kinds: {pods: k8s_kuma_io_name, nodes: {through: pods}}, workload: {through: pods}}
        client:
          requests: envoy_cluster_upstream_rq_xx
          latency: {histogram: envoy_cluster_upstream_rq_time, unit: ms}
          where: ['envoy_cluster_name!~"localhost_.*|kuma_.*|ads_cluster|access_log_sink"']
          source: {namespace: k8s_kuma_io_namespace, kinds: {pods: k8s_kuma_io_name, nodes: {through: pods}}, workload: {through: pods}}
          destination:
            packed: {label: envoy_cluster_name, pattern: "{services}_{namespaces}_svc_{*}[-{hex}]"}
        """)]
    [InlineData(
        "seconds, latency without the outcome's labels (Hubble)",
        """
        outcome: {failure: ['status=~"5.."']}
        server:
          requests: hubble_http_requests_total
          latency: {histogram: hubble_http_request_duration_seconds, unit: s}
          where: ['reporter="server"']
          destination:
            namespace: destination_namespace
            kinds: {pods: destination_pod, replicasets: {through: pods}, nodes: {through: pods}}
            workload: {kind: destination_workload_kind, name: destination_workload}
        """)]
    [InlineData(
        "server only, nothing but a Service (Traefik)",
        """
        outcome: {failure: ['code=~"5.."']}
        server:
          requests: traefik_service_requests_total
          latency: {histogram: traefik_service_request_duration_seconds, unit: s}
          where: ['service!="readiness@http"']
          destination:
            packed: {label: service, pattern: "{namespaces}-{services}-{*}@http"}
        """)]
    [InlineData(
        "success given, failure the rest, sides by an absent label (NGINX)",
        """
        outcome: {success: ['code=~"1xx|2xx"']}
        server:
          requests: nginxplus_upstream_server_responses
          latency: {histogram: nginxplus_upstream_server_response_latency_ms, unit: ms}
          where: ['dst_pod=""']
          destination:
            namespace: namespace
            kinds: {pods: pod, deployments: deployment, replicasets: {through: pods}, jobs: {through: pods}}
        """)]
    [InlineData(
        "a histogram's count as the counter, a label a kind (Beyla)",
        """
        outcome: {failure: ['http_response_status_code=~"5.."']}
        server:
          requests: http_server_request_duration_seconds_count
          latency: {histogram: http_server_request_duration_seconds, unit: s}
          destination:
            namespace: k8s_namespace_name
            kinds: {pods: k8s_pod_name, deployments: k8s_deployment_name, replicasets: k8s_replicaset_name, nodes: k8s_node_name}
        """)]
    [InlineData(
        "a counter of failures (service graphs)",
        """
        server:
          requests: traces_service_graph_request_total
          failures: traces_service_graph_request_failed_total
          latency: {histogram: traces_service_graph_request_server_seconds, unit: s}
          where: ['connection_type=""']
          destination: {namespace: server_k8s_namespace_name, workload: server}
          source: {namespace: client_k8s_namespace_name, workload: client}
        """)]
    [InlineData(
        "a pattern for each kind (the old Istio adapter of smi-metrics)",
        """
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
        """)]
    public void A_mesh_of_another_shape_is_one_more_file(string shape, string yaml)
    {
        MeshDescriptor mesh = DescriptorReader.Read($"name: other\ntitle: {shape.Replace(':', ' ')}\n{yaml}", "other.yaml");
        Assert.True(mesh.Server is not null || mesh.Client is not null);
    }
}
