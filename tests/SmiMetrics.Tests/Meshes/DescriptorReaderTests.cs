using System.Text;
using CsCheck;
using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

public sealed class DescriptorReaderTests
{
    private const string Kinds =
        "namespaces, nodes, pods, services, deployments, statefulsets, daemonsets, replicasets, replicationcontrollers, jobs, cronjobs";

    private const string Keys = "name, title, extends, within, outcome, unknown, server, client, splits, scrape, cannot, advice";

    private const string NameAndPods = "a list in 'workload' is a label and {through: pods}, for where the label is empty";
    private const string Nothing = "nothing that can be asked for; there are edges, trafficsplits, the kinds, and KIND/edges: " + Kinds;

    // Every mistake below is one edit of this.
    private const string Sound = """
        name: m
        title: M
        outcome:
          failure: ['code="5"']
        unknown: [unknown]
        server:
          requests: r_total
          failures: f_total
          where: ['side="server"']
          latency: {histogram: r_ms, unit: ms}
          destination:
            namespace: ns
            workload: workload
            packed: {label: packed, pattern: "{services}"}
            kinds:
              pods: pod
              nodes: {through: pods}

        """;

    [Fact]
    public void The_descriptor_that_the_mistakes_are_made_in_is_sound() => Assert.Equal("m", DescriptorReader.Read(Sound, "m.yaml").Name);

    [Theory]
    // The file as a whole.
    [InlineData(Sound, "", "1: it is empty")]
    [InlineData(Sound, "# nothing\n", "1: it is empty")]
    [InlineData(Sound, "---\n", "1: the descriptor must be a mapping, not nothing")]
    [InlineData(Sound, "- a\n", "1: the descriptor must be a mapping, not a list")]
    [InlineData(Sound, "name", "1: the descriptor must be a mapping, not a text")]
    [InlineData(Sound, "{}", "1: missing key 'name' in the descriptor", "1: missing key 'title' in the descriptor", "1: missing key 'server' or 'client' in the descriptor")]
    [InlineData("      nodes: {through: pods}\n", "---\nname: n\n", "17: a second document begins; a file describes one mesh")]
    [InlineData("title: M", "title: !!str M", "2: the tag 'tag:yaml.org,2002:str' is not supported")]
    [InlineData("title: M", "title: &a M", null)]
    [InlineData("unknown: [unknown]", "unknown: [&a b, *a]", "5: the alias '*a' is not supported", "5: a value of 'unknown' must be a text, not nothing")]
    [InlineData("title: M", "[a]: M\ntitle: M", "2: a key must be a text, not a list")]
    [InlineData("title: M", "title: M\ntitle: N", "3: 'title' is given twice, first in line 2")]
    [InlineData("      nodes: {through: pods}", "      nodes: {through: pods}\n      pods: p", "18: 'pods' is given twice, first in line 16")]
    [InlineData("title: M", "title: M\ncolour: blue", "3: unknown key 'colour' in the descriptor; there are " + Keys)]
    [InlineData("title: M", "title: M\n<<: {a: b}", "3: unknown key '<<' in the descriptor; there are " + Keys)]
    [InlineData("{histogram: r_ms, unit: ms}", "{histogram: r_ms, unit: ms", "10: it is not YAML: within brackets a comma, the closing bracket or a quote is missing")]
    [InlineData("[unknown]", "[unknown", "5: it is not YAML: within brackets a comma, the closing bracket or a quote is missing")]
    // The mesh.
    [InlineData("name: m\n", "", "1: missing key 'name' in the descriptor")]
    [InlineData("name: m", "name:", "1: 'name' must be a text, not nothing")]
    [InlineData("name: m", "name: ~", "1: 'name' must be a text, not nothing")]
    [InlineData("name: m", "name: null", "1: 'name' must be a text, not nothing")]
    [InlineData("name: m", "name: 'null'", null)]
    [InlineData("name: m", "name: [m]", "1: 'name' must be a text, not a list")]
    [InlineData("name: m", "name: {m: n}", "1: 'name' must be a text, not a mapping")]
    [InlineData("name: m", "name: My.Mesh", "1: 'My.Mesh' is not a DNS label, which a mesh's name must be")]
    [InlineData("name: m", "name: -m", "1: '-m' is not a DNS label, which a mesh's name must be")]
    [InlineData("name: m", "name: m-", "1: 'm-' is not a DNS label, which a mesh's name must be")]
    [InlineData("name: m", "name: ''", "1: '' is not a DNS label, which a mesh's name must be")]
    [InlineData("name: m", "name: auto", "1: a mesh cannot be named 'auto': --mesh auto means all that are there")]
    [InlineData("name: m", "name: \"m\\nn\\e\"", "1: 'm n ' is not a DNS label, which a mesh's name must be")]
    [InlineData("title: M\n", "", "1: missing key 'title' in the descriptor")]
    [InlineData("title: M", "title: ''", "2: an empty text says nothing")]
    [InlineData("unknown: [unknown]", "unknown: unknown", "5: 'unknown' must be a list, not a text")]
    [InlineData("unknown: [unknown]", "unknown: []", "5: 'unknown' is empty")]
    [InlineData("unknown: [unknown]", "unknown: [[a]]", "5: a value of 'unknown' must be a text, not a list")]
    [InlineData("unknown: [unknown]", "unknown: ['']", "5: an empty text says nothing")]
    [InlineData("server:\n", "proxy:\n", "1: missing key 'server' or 'client' in the descriptor", "6: unknown key 'proxy' in the descriptor; there are " + Keys)]
    // The outcome.
    [InlineData("outcome:\n  failure: ['code=\"5\"']\n", "", null)]
    [InlineData("outcome:\n  failure: ['code=\"5\"']", "outcome:", "3: 'outcome' must be a mapping, not nothing")]
    [InlineData("outcome:\n  failure: ['code=\"5\"']", "outcome: {}", "3: missing key 'success' or 'failure' in 'outcome'")]
    [InlineData("  failure: ['code=\"5\"']", "  fail: ['code=\"5\"']", "3: missing key 'success' or 'failure' in 'outcome'", "4: unknown key 'fail' in 'outcome'; there are success, failure")]
    [InlineData("  failure: ['code=\"5\"']", "  failure: code=\"5\"", "4: 'failure' must be a list, not a text")]
    [InlineData("  failure: ['code=\"5\"']", "  failure: []", "4: 'failure' is empty")]
    [InlineData("  failure: ['code=\"5\"']", "  success: []", "4: 'success' is empty")]
    [InlineData("  failure: ['code=\"5\"']", "  failure:\n    - []", "5: a list in 'failure' is empty")]
    [InlineData("  failure: ['code=\"5\"']", "  failure: [{a: b}]", "4: a matcher must be a text, not a mapping")]
    [InlineData("  failure: ['code=\"5\"']", "  failure: [[[a]]]", "4: a matcher must be a text, not a list")]
    [InlineData("  failure: ['code=\"5\"']", "  failure: [code=5]", "4: bad matcher code=5: the value must be in quotes")]
    [InlineData("  failure: ['code=\"5\"']", "  failure: [code=~\"4,5\"]", "4: bad matcher code=~\"4: the value's quote is not closed", "4: bad matcher 5\": it is not a matcher, such as label=\"value\"")]
    [InlineData("  failure: ['code=\"5\"']", "  failure:\n    - code=~\"5..\"\n    - code=~\"(\"", "6: bad matcher code=~\"(\": '(' is not a regular expression that we can follow: '(' is not closed")]
    [InlineData("  failure: ['code=\"5\"']", "  failure: ['a-b=\"5\"']", "4: bad matcher a-b=\"5\": 'a-b' is not a label name")]
    // A side.
    [InlineData("  requests: r_total\n", "", "6: missing key 'requests' in 'server'")]
    [InlineData("r_total", "r-total", "7: 'r-total' is not a metric name")]
    [InlineData("r_total", "1r", "7: '1r' is not a metric name")]
    [InlineData("r_total", "job:r_total:sum", null)]
    [InlineData("f_total", "f total", "8: 'f total' is not a metric name")]
    [InlineData("  requests: r_total", "  request: r_total", "6: missing key 'requests' in 'server'", "7: unknown key 'request' in 'server'; there are requests, failures, where, latency, destination, source")]
    [InlineData("unknown: [unknown]", "client: c", "5: 'client' must be a mapping, not a text")]
    [InlineData("unknown: [unknown]", "client: {requests: c}", "1: missing key 'outcome' (or 'failures' on every side) in the descriptor", "5: missing key 'destination' or 'source' in 'client'", "-outcome")]
    [InlineData("  failures: f_total\n", "", "1: missing key 'outcome' (or 'failures' on every side) in the descriptor", "-outcome")]
    [InlineData("  where: ['side=\"server\"']", "  where: 'side=\"server\"'", "9: 'where' must be a list, not a text")]
    [InlineData("  where: ['side=\"server\"']", "  where: [['side=\"server\"']]", "9: a matcher must be a text, not a list")]
    [InlineData("  where: ['side=\"server\"']", "  where: [side]", "9: bad matcher side: it is not a matcher, such as label=\"value\"")]
    [InlineData("  where: ['side=\"server\"']", "  where: ['__name__=~\"r.*\"']", "9: __name__ is not a label but the series' own name")]
    // Latency.
    [InlineData("  latency: {histogram: r_ms, unit: ms}\n", "", null)]
    [InlineData("  latency: {histogram: r_ms, unit: ms}", "  latency:", "10: 'latency' must be a mapping, not nothing")]
    [InlineData("  latency: {histogram: r_ms, unit: ms}", "  latency: {unit: ms}", "10: missing key 'histogram' in 'latency'")]
    [InlineData("  latency: {histogram: r_ms, unit: ms}", "  latency: {histogram: r_ms}", "10: missing key 'unit' in 'latency'")]
    [InlineData("unit: ms", "unit: seconds", "10: 'seconds' is not a unit of latency; there are ms and s")]
    [InlineData("histogram: r_ms", "histogram: r_ms_bucket", "10: 'r_ms_bucket' is the name of the buckets; give that of the histogram, without _bucket")]
    [InlineData("histogram: r_ms", "histogram: r.ms", "10: 'r.ms' is not a metric name")]
    [InlineData("unit: ms", "unit: ms, where: []", "10: 'where' is empty")]
    [InlineData("unit: ms", "unit: ms, where: [x]", "10: bad matcher x: it is not a matcher, such as label=\"value\"")]
    [InlineData("unit: ms", "unit: ms, buckets: [1]", "10: unknown key 'buckets' in 'latency'; there are histogram, unit, where, destination, source")]
    // An identity.
    [InlineData("  destination:\n", "  source: {}\n  destination:\n", "11: 'source' names nobody")]
    [InlineData("  destination:\n", "  source: nobody\n  destination:\n", "11: 'source' must be a mapping, not a text")]
    [InlineData("  destination:\n", "  source: {kinds: {}, encoding: {}}\n  destination:\n", "11: 'source' names nobody")]
    [InlineData("    namespace: ns", "    namespaces: ns\n    namespace: ns", "12: unknown key 'namespaces' in 'destination'; there are namespace, kinds, packed, workload, encoding")]
    [InlineData("    namespace: ns", "    namespace: n-s", "12: 'n-s' is not a label name")]
    [InlineData("    namespace: ns", "    namespace: __name__", "12: __name__ is not a label but the series' own name")]
    [InlineData(
        "    namespace: ns\n",
        "",
        "12: no label names the namespace of 'workload'; give the key 'namespace'",
        "13: the pattern has no {namespaces}, and there is no key 'namespace'",
        "15: no label names the namespace of 'pods'; give the key 'namespace'")]
    [InlineData("    kinds:\n", "    kinds: pods\n    kind:\n", "15: 'kinds' must be a mapping, not a text", "16: unknown key 'kind' in 'destination'; there are namespace, kinds, packed, workload, encoding")]
    [InlineData("pods: pod\n", "pods: pod\n      rollouts: rollout\n", "17: unknown kind 'rollouts'; there are " + Kinds)]
    [InlineData("pods: pod\n", "pods: pod\n      deployment: d\n", "17: unknown kind 'deployment'; there are " + Kinds)]
    [InlineData("pods: pod\n", "pods: pod\n      namespaces: ns\n", "17: namespaces are told by the key 'namespace', or by {namespaces} in a pattern")]
    [InlineData("pods: pod\n", "pods: p-d\n", "16: 'p-d' is not a label name")]
    [InlineData("pods: pod\n", "pods:\n", "16: 'pods' must be a text, not nothing")]
    [InlineData("pods: pod\n", "pods: [pod]\n", "16: 'pods' must be a text, not a list")]
    [InlineData("pods: pod\n", "pods: {}\n", "16: 'pods' has none of the keys 'label', 'name', 'unique' and 'through'")]
    [InlineData("pods: pod\n", "pods: {namespace: ns}\n", "16: 'pods' has none of the keys 'label', 'name', 'unique' and 'through'")]
    [InlineData("pods: pod\n", "pods: {label: pod, name: pod}\n", "16: unknown key 'name' in 'pods'; there are label, namespace")]
    [InlineData("pods: pod\n", "pods: {label: p-d}\n", "16: 'p-d' is not a label name")]
    [InlineData("pods: pod\n", "pods: {label: pod, namespace: n-s}\n", "16: 'n-s' is not a label name")]
    [InlineData("pods: pod\n", "pods: {name: pod}\n", "16: only workloads are told by 'name'; give pods a 'label'")]
    [InlineData("pods: pod\n", "pods: {through: pods}\n", "16: pods cannot go through pods; give them a 'label'")]
    [InlineData("pods: pod\n", "pods: pod\n      services: {name: s}\n", "17: only workloads are told by 'name'; give services a 'label'")]
    [InlineData("pods: pod\n", "pods: pod\n      jobs: {kind: k}\n", "17: 'jobs' has none of the keys 'label', 'name', 'unique' and 'through'")]
    [InlineData("pods: pod\n", "pods: pod\n      jobs: {name: j-b, kind: k-d, label: l}\n", "17: unknown key 'name' in 'jobs'; there are label, namespace", "17: unknown key 'kind' in 'jobs'; there are label, namespace")]
    [InlineData("pods: pod\n", "pods: pod\n      jobs: {name: j-b, kind: k-d, owner: l}\n", "17: unknown key 'owner' in 'jobs'; there are name, kind, namespace", "17: 'j-b' is not a label name", "17: 'k-d' is not a label name")]
    [InlineData("      pods: pod\n", "", "16: 'nodes' cannot go through pods: no label names the pods")]
    [InlineData("    workload: workload\n", "    workload: {through: pods}\n", "13: 'workload' cannot go through pods: no label names the pods", "16: 'nodes' cannot go through pods: no label names the pods", "-pods")]
    [InlineData("{through: pods}", "{through: services}", "17: 'services' is nothing to go through; there are pods")]
    [InlineData("{through: pods}", "{through: pods, label: x}", "17: unknown key 'label' in 'nodes'; there are through")]
    [InlineData("{through: pods}", "{label: node, namespace: ns}", "17: unknown key 'namespace' in 'nodes'; there are label")]
    [InlineData("    workload: workload", "    workload: work-load", "13: 'work-load' is not a label name")]
    [InlineData("    workload: workload", "    workload: [w]", "13: a list in 'workload' is a label and {through: pods}, for where the label is empty")]
    [InlineData("    workload: workload", "    workload: {kind: k}", "13: missing key 'name' in 'workload'")]
    [InlineData("    workload: workload", "    workload: {label: w}", "13: unknown key 'label' in 'workload'; there are name, kind, namespace", "13: missing key 'name' in 'workload'")]
    [InlineData("    workload: workload", "    workload: {through: nodes}", "13: 'nodes' is nothing to go through; there are pods")]
    // Patterns.
    [InlineData("    packed: {label: packed, pattern: \"{services}\"}", "    packed: packed", "14: 'packed' must be a list, not a text")]
    [InlineData("    packed: {label: packed, pattern: \"{services}\"}", "    packed: []", "14: 'packed' is empty")]
    [InlineData("    packed: {label: packed, pattern: \"{services}\"}", "    packed: [a]", "14: 'packed' must be a mapping, not a text")]
    [InlineData("{label: packed, pattern: ", "{pattern: ", "14: missing key 'label' in 'packed'")]
    [InlineData("label: packed", "label: pack-ed", "14: 'pack-ed' is not a label name")]
    [InlineData(", pattern: \"{services}\"", "", "14: missing key 'pattern' in 'packed'")]
    [InlineData("pattern: \"{services}\"", "pattern: {services}", "14: 'pattern' must be a text, not a mapping")]
    [InlineData("label: packed", "label: packed, namespace: ns", "14: unknown key 'namespace' in 'packed'; there are label, pattern")]
    [InlineData("{services}", "{service}", "14: bad pattern {service}: {service} is no placeholder; there are {*}, {port}, {hex} and the names: " + Kinds)]
    [InlineData("{services}", "{services", "14: bad pattern {services: '{' is not closed")]
    [InlineData("pods: pod\n", "pods: {label: pod, pattern: '{jobs}'}\n", "16: the pattern of 'pods' has no {pods}")]
    [InlineData("pods: pod\n", "pods: {label: pod, pattern: '{pods}{*}'}\n", "16: bad pattern {pods}{*}: two placeholders stand together, with nothing that ends the first")]
    [InlineData("pattern: \"{services}\"", "pattern: [\"{services}\", \"x-{services}\"]", null)]
    [InlineData("pattern: \"{services}\"", "pattern: []", "14: 'pattern' is empty")]
    [InlineData("pattern: \"{services}\"", "pattern: [\"{services}\", [a]]", "14: a pattern must be a text, not a list")]
    [InlineData("pattern: \"{services}\"", "pattern: [\"{services}\", \"{service\"]", "14: bad pattern {service: '{' is not closed")]
    [InlineData("pattern: \"{services}\"", "pattern: [\"{services}\", \"{jobs}\"]", "14: the pattern {jobs} has other names in it than {services}")]
    [InlineData("pattern: \"{services}\"", "pattern: [\"{services}-{jobs}\", \"{services}\"]", "14: the pattern {services} has other names in it than {services}-{jobs}")]
    [InlineData("pattern: \"{services}\"", "pattern: [\"{services}-{jobs}\", \"{jobs}/{services}\"]", null)]
    [InlineData("pods: pod\n", "pods: pod\n      jobs: {label: j, pattern: ['{jobs}', '{pods}']}\n", "17: the pattern of 'jobs' has no {jobs}")]
    // A name without its namespace.
    [InlineData("pods: pod\n", "pods: pod\n      services: {unique: s}\n", null)]
    [InlineData("pods: pod\n", "pods: pod\n      services: {unique: s-s}\n", "17: 's-s' is not a label name")]
    [InlineData("pods: pod\n", "pods: pod\n      services: {unique: [s]}\n", "17: 'unique' must be a text, not a list")]
    [InlineData("pods: pod\n", "pods: pod\n      services: {unique: s, namespace: ns}\n", "17: unknown key 'namespace' in 'services'; there are unique")]
    [InlineData("pods: pod\n", "pods: {unique: pod}\n", "16: pods cannot be told by 'unique'; give them a 'label'")]
    [InlineData("{through: pods}", "{unique: node}", "17: nodes cannot be told by 'unique'; give them a 'label'")]
    [InlineData("    workload: workload", "    workload: {unique: w}", "13: unknown key 'unique' in 'workload'; there are name, kind, namespace", "13: missing key 'name' in 'workload'")]
    // A name, and else the pods.
    [InlineData("    workload: workload", "    workload: [workload, {through: pods}]", null)]
    [InlineData("    workload: workload", "    workload: [work-load, {through: pods}]", "13: 'work-load' is not a label name")]
    [InlineData("    workload: workload", "    workload: [workload, {through: nodes}]", "13: 'nodes' is nothing to go through; there are pods")]
    [InlineData("    workload: workload", "    workload: []", "13: " + NameAndPods)]
    [InlineData("    workload: workload", "    workload: [a, b]", "13: " + NameAndPods)]
    [InlineData("    workload: workload", "    workload: [a, {label: b}]", "13: " + NameAndPods)]
    [InlineData("    workload: workload", "    workload: [{through: pods}, a]", "13: " + NameAndPods)]
    [InlineData("    workload: workload", "    workload: [a, {through: pods}, b]", "13: " + NameAndPods)]
    [InlineData("    workload: workload", "    workload: [a, {through: pods, label: b}]", "13: " + NameAndPods)]
    [InlineData(
        "    workload: workload\n", "    workload: [w, {through: pods}]\n",
        "13: 'workload' cannot go through pods: no label names the pods", "16: 'nodes' cannot go through pods: no label names the pods", "-pods")]
    // A counter under several names.
    [InlineData("requests: r_total", "requests: [r_total, r]", null)]
    [InlineData("requests: r_total", "requests: [r_total]", null)]
    [InlineData("requests: r_total", "requests: []", "7: 'requests' is empty")]
    [InlineData("requests: r_total", "requests: {a: b}", "7: 'requests' must be a text, not a mapping")]
    [InlineData("requests: r_total", "requests:\n    - r_total\n    - r-total", "9: 'r-total' is not a metric name")]
    [InlineData("requests: r_total", "requests: [[r_total]]", "7: a name in 'requests' must be a text, not a list")]
    [InlineData("failures: f_total", "failures: [f_total]", "8: 'failures' must be a text, not a list")]
    // The ends as the histogram names them.
    [InlineData("unit: ms}", "unit: ms, destination: {namespace: n}}", null)]
    [InlineData("unit: ms}", "unit: ms, source: {namespace: n}}", null)]
    [InlineData("unit: ms}", "unit: ms, destination: d}", "10: 'destination' must be a mapping, not a text")]
    [InlineData("unit: ms}", "unit: ms, destination: {}}", "10: 'destination' names nobody")]
    [InlineData("unit: ms}", "unit: ms, source: {pods: p}}", "10: unknown key 'pods' in 'source'; there are namespace, kinds, packed, workload, encoding", "10: 'source' names nobody")]
    [InlineData("unit: ms}", "unit: ms, source: {kinds: {pods: p}}}", "10: no label names the namespace of 'pods'; give the key 'namespace'")]
    // What the mesh cannot tell.
    [InlineData("title: M", "title: M\ncannot: {cronjobs/edges: no, edges: no, trafficsplits: no, replicasets: no}", null)]
    [InlineData("title: M", "title: M\ncannot: no", "3: 'cannot' must be a mapping, not a text")]
    [InlineData("title: M", "title: M\ncannot:\n  replicasets:", "4: 'replicasets' in 'cannot' must be a text, not nothing")]
    [InlineData("title: M", "title: M\ncannot:\n  replicasets: ''", "4: an empty text says nothing")]
    [InlineData("title: M", "title: M\ncannot:\n  replicasets: [a]", "4: 'replicasets' in 'cannot' must be a text, not a list")]
    [InlineData("title: M", "title: M\ncannot:\n  pods: no", "4: 'pods' is told by a 'destination', so it is nothing that the mesh cannot tell")]
    [InlineData("title: M", "title: M\ncannot:\n  services: no", "4: 'services' is told by a 'destination', so it is nothing that the mesh cannot tell")]
    [InlineData("title: M", "title: M\ncannot:\n  pods/edges: no", null)]
    [InlineData("title: M", "title: M\ncannot:\n  rollouts: no", "4: 'rollouts' is " + Nothing)]
    [InlineData("title: M", "title: M\ncannot:\n  rollouts/edges: no", "4: 'rollouts/edges' is " + Nothing)]
    [InlineData("title: M", "title: M\ncannot:\n  /edges: no", "4: '/edges' is " + Nothing)]
    [InlineData("title: M", "title: M\ncannot:\n  edges/edges: no", "4: 'edges/edges' is " + Nothing)]
    [InlineData("title: M", "title: M\ncannot:\n  trafficsplits/edges: no", "4: 'trafficsplits/edges' is " + Nothing)]
    // Advice, and what this is a part of.
    [InlineData("title: M", "title: M\nadvice: {series: a, labels: b}", null)]
    [InlineData("title: M", "title: M\nadvice: {}", null)]
    [InlineData("title: M", "title: M\nadvice: do", "3: 'advice' must be a mapping, not a text")]
    [InlineData("title: M", "title: M\nadvice:\n  label: a", "4: unknown key 'label' in 'advice'; there are series, labels")]
    [InlineData("title: M", "title: M\nadvice:\n  series: ''", "4: an empty text says nothing")]
    [InlineData("title: M", "title: M\nadvice:\n  labels: [a]", "4: 'labels' must be a text, not a list")]
    [InlineData("title: M", "title: M\nwithin: n", null)]
    [InlineData("title: M", "title: M\nwithin: N", "3: 'N' is not a DNS label, which a mesh's name must be")]
    [InlineData("title: M", "title: M\nwithin: [n]", "3: 'within' must be a text, not a list")]
    // Splits.
    [InlineData("title: M", "title: M\nsplits: [{side: server, names: {l: \"{backend}\"}}]", null)]
    [InlineData("title: M", "title: M\nsplits: {side: server}", "3: 'splits' must be a list, not a mapping")]
    [InlineData("title: M", "title: M\nsplits: []", "3: 'splits' is empty")]
    [InlineData("title: M", "title: M\nsplits:\n  - server", "4: a way in 'splits' must be a mapping, not a text")]
    [InlineData("title: M", "title: M\nsplits:\n  - names: {l: \"{backend}\"}", "4: missing key 'side' in a way in 'splits'")]
    [InlineData("title: M", "title: M\nsplits:\n  - side: both\n    names: {l: \"{backend}\"}", "4: 'both' is not a side; there are client and server")]
    [InlineData("title: M", "title: M\nsplits:\n  - side: client\n    names: {l: \"{backend}\"}", "4: missing key 'requests' in a way in 'splits'")]
    [InlineData("title: M", "title: M\nsplits:\n  - side: client\n    requests: q_total\n    names: {l: \"{backend}\"}", null)]
    [InlineData(
        "title: M", "title: M\nsplits:\n  - side: client\n    requests: q_total\n    names: {l: \"{backend}\"}",
        "4: missing key 'outcome' (or 'failures') in a way in 'splits'", "-outcome")]
    [InlineData("title: M", "title: M\nsplits:\n  - side: client\n    requests: q_total\n    failures: g_total\n    names: {l: \"{backend}\"}", "-outcome")]
    [InlineData("title: M", "title: M\nsplits:\n  - side: server\n    outcome: {}\n    names: {l: \"{backend}\"}", "5: missing key 'success' or 'failure' in 'outcome'")]
    [InlineData("title: M", "title: M\nsplits:\n  - side: server", "4: missing key 'names' in a way in 'splits'")]
    [InlineData("title: M", "title: M\nsplits:\n  - side: server\n    names: l", "5: 'names' must be a mapping, not a text")]
    [InlineData("title: M", "title: M\nsplits:\n  - side: server\n    names: {}", "5: 'names' has no {backend}")]
    [InlineData("title: M", "title: M\nsplits:\n  - side: server\n    names: {l: \"{apex}\"}", "5: 'names' has no {backend}")]
    [InlineData("title: M", "title: M\nsplits:\n  - side: server\n    names: {l-l: \"{backend}\"}", "5: 'l-l' is not a label name")]
    [InlineData("title: M", "title: M\nsplits:\n  - side: server\n    names: {l: [\"{backend}\"]}", "5: the pattern of 'l' must be a text, not a list")]
    [InlineData(
        "title: M", "title: M\nsplits:\n  - side: server\n    names:\n      l: \"{services}\"",
        "6: bad pattern {services}: {services} is no placeholder; there are {*}, {port}, {hex} and the names: namespaces, apex, trafficsplits, backend")]
    [InlineData("title: M", "title: M\nsplits:\n  - side: server\n    destination: {}\n    names: {l: \"{backend}\"}", "5: unknown key 'destination' in a way in 'splits'; there are side, requests, failures, where, latency, outcome, names")]
    // Encodings.
    [InlineData("    kinds:\n", "    encoding: {'-': _}\n    kinds:\n      services: {unique: s}\n", "15: 'encoding' cannot be combined with a pattern, nor with 'unique'")]
    [InlineData("    kinds:\n", "    encoding: {'-': _}\n    kinds:\n", "15: 'encoding' cannot be combined with a pattern, nor with 'unique'")]
    [InlineData("    packed: {label: packed, pattern: \"{services}\"}", "    encoding: _", "14: 'encoding' must be a mapping, not a text")]
    [InlineData("    packed: {label: packed, pattern: \"{services}\"}", "    encoding: {'--': _}", "14: '--' is not one character")]
    [InlineData("    packed: {label: packed, pattern: \"{services}\"}", "    encoding: {'-': __}", "14: '__' is not one character")]
    [InlineData("    packed: {label: packed, pattern: \"{services}\"}", "    encoding: {'-': ''}", "14: '' is not one character")]
    [InlineData("    packed: {label: packed, pattern: \"{services}\"}", "    encoding: {'-': [_]}", "14: a character of 'encoding' must be a text, not a list")]
    [InlineData("    packed: {label: packed, pattern: \"{services}\"}", "    encoding: {'-': _, '.': _}", null)]
    public void Every_mistake_is_shown_with_its_line(string from, string to, params string[]? mistakes)
    {
        // A last "mistake" that begins with a hyphen takes a further part of the descriptor away.
        string text = Sound;
        switch (mistakes?[^1])
        {
            case "-outcome":
                text = text.Replace("outcome:\n  failure: ['code=\"5\"']", "\n", StringComparison.Ordinal);
                break;
            case "-pods":
                text = text.Replace("      pods: pod\n", "", StringComparison.Ordinal);
                break;
        }

        Assert.Contains(from == Sound ? text : from, text, StringComparison.Ordinal);
        text = from == Sound ? to : text.Replace(from, to, StringComparison.Ordinal);
        Assert.Equal(
            mistakes?.Where(mistake => !mistake.StartsWith('-')).Select(mistake => "mesh/m.yaml:" + mistake) ?? [],
            Mistakes(text));
    }

    [Theory]
    [InlineData("name: m\nlatency: {histogram: h unit: ms}", "name.yaml:2: it is not YAML: ")]
    [InlineData("name: m\nunknown: [a: b: c]", "name.yaml:2: it is not YAML: ")]
    [InlineData("name: [m", "name.yaml:1: it is not YAML: ")]
    [InlineData("name: m\ntitle: 'M", "name.yaml:2: it is not YAML: ")]
    [InlineData("name: m\n\ttitle: M", "name.yaml:1: it is not YAML: ")]
    [InlineData("name: m\n title: M\n- a", "name.yaml:2: it is not YAML: ")]
    [InlineData("name: m\ntitle: !<a%20b> M", "name.yaml:2: it is not YAML: a tag is not one")]
    [InlineData("name: m\ntitle: !![ M", "name.yaml:2: it is not YAML: a tag is not one")]
    public void What_is_no_YAML_is_said_by_the_parser_with_its_line(string text, string beginning)
    {
        string mistake = Assert.Single(Assert.Throws<DescriptorException>(() => DescriptorReader.Read(text, "name.yaml")).Mistakes);
        Assert.StartsWith(beginning, mistake, StringComparison.Ordinal);
    }

    [Fact]
    public void Nesting_and_length_are_bounded()
    {
        Assert.Equal(["f:1: it is not YAML: it is nested more than 32 levels deep"], Mistakes(new string('[', 10_000), "f"));
        Assert.Equal(["f:1: it is longer than 262144 characters"], Mistakes(new string('#', (256 * 1024) + 1), "f"));
    }

    [Fact]
    public void All_mistakes_come_at_once_in_the_order_of_their_lines()
    {
        DescriptorException exception = Assert.Throws<DescriptorException>(() => DescriptorReader.Read(
            """
            name: Bad
            outcome: {failure: [code=5]}
            server:
              requests: r-total
              latency: {histogram: h, unit: min}
              destination:
                kinds:
                  pods: pod
                  rollouts: r
            """,
            "bad.yaml"));
        string[] expected =
        [
            "bad.yaml:1: 'Bad' is not a DNS label, which a mesh's name must be",
            "bad.yaml:1: missing key 'title' in the descriptor",
            "bad.yaml:2: bad matcher code=5: the value must be in quotes",
            "bad.yaml:4: 'r-total' is not a metric name",
            "bad.yaml:5: 'min' is not a unit of latency; there are ms and s",
            "bad.yaml:8: no label names the namespace of 'pods'; give the key 'namespace'",
            $"bad.yaml:9: unknown kind 'rollouts'; there are {Kinds}",
            "bad.yaml:9: no label names the namespace of 'rollouts'; give the key 'namespace'",
        ];
        Assert.Equal(expected, exception.Mistakes);
        Assert.Equal(string.Join('\n', expected), exception.Message);
    }

    [Fact]
    public void Everything_of_a_descriptor_is_read()
    {
        MeshDescriptor mesh = DescriptorReader.Read(
            """
            name: all
            title: All there is
            outcome:
              success: ['a="1"', ['b="2"', c!="3"]]
              failure: [d=~"4|5"]
            unknown: [unknown, none]
            server:
              requests: requests_total
              failures: failures_total
              where: ['side="server"']
              latency: {histogram: server_seconds, unit: s, where: ['e="6"']}
              destination:
                namespace: ns
                kinds:
                  pods: pod
                  services: {label: svc, namespace: svc_ns}
                  nodes: node
                  replicasets: {through: pods}
                  deployments: {name: dep}
                  jobs: {kind: job_kind, name: job, namespace: job_ns}
                workload: {kind: kind, name: name}
                encoding: {"-": "_", ".": "_"}
            client:
              requests: client_total
              where: ['side="client"']
              latency: {histogram: client_ms, unit: ms}
              source:
                packed:
                  - {label: from, pattern: "{services}.{namespaces}"}
                  - {label: to, pattern: "{namespaces}/{deployments}"}
                kinds:
                  pods: {label: uid, pattern: "{pods}@{namespaces}"}
                  nodes: {label: host}
                workload: {name: w, namespace: w_ns}
            """,
            "all.yaml");

        Assert.Equal(("all", "All there is"), (mesh.Name, mesh.Title));
        Assert.Equal(["none", "unknown"], mesh.Unknown.Order());
        Assert.Equal(["a=\"1\"", "b=\"2\" c!=\"3\""], mesh.Outcome.Success!.Select(all => string.Join(' ', all)));
        Assert.Equal(["d=~\"4|5\""], mesh.Outcome.Failure!.Select(all => string.Join(' ', all)));

        MeshSide server = mesh.Server!;
        Assert.Equal(("requests_total", "failures_total"), (server.Requests, server.Failures));
        Assert.Equal([new Matcher("side", MatchOperator.Equal, "server")], server.Where);
        Assert.Equal(("server_seconds", 1000), (server.Latency!.Series, server.Latency.MillisecondsPerUnit));
        Assert.Equal([new Matcher("e", MatchOperator.Equal, "6")], server.Latency.Where);
        Assert.Null(server.Source);
        Assert.Equal("ns", server.Destination.NamespaceLabel);
        IdentityMeans workload = new IdentityMeans.KindAndName("kind", "name", "ns");
        Assert.Equal(
            new Dictionary<string, IdentityMeans>
            {
                ["namespaces"] = new IdentityMeans.Label("ns", null),
                ["nodes"] = new IdentityMeans.Label("node", null),
                ["pods"] = new IdentityMeans.Label("pod", "ns"),
                ["services"] = new IdentityMeans.Label("svc", "svc_ns"),
                ["replicasets"] = new IdentityMeans.ThroughPods(),
                ["deployments"] = new IdentityMeans.NameOnly("dep", "ns"),
                ["jobs"] = new IdentityMeans.KindAndName("job_kind", "job", "job_ns"),
                ["statefulsets"] = workload,
                ["daemonsets"] = workload,
                ["replicationcontrollers"] = workload,
                ["cronjobs"] = workload,
            }.OrderBy(pair => pair.Key),
            server.Destination.Means.OrderBy(pair => pair.Key));
        Assert.Equal("a_b_c", server.Destination.Encode("a-b.c"));

        MeshSide client = mesh.Client!;
        Assert.Null(client.Failures);
        Assert.Equal(("client_ms", 1), (client.Latency!.Series, client.Latency.MillisecondsPerUnit));
        Assert.Equal(client.Where, client.Latency.Where);
        Assert.Same(Identity.None, client.Destination);
        Identity source = client.Source!;
        Assert.Null(source.NamespaceLabel);
        Assert.Equal("a-b.c", source.Encode("a-b.c"));
        Assert.Equal(
            [
                "cronjobs: name w in w_ns",
                "daemonsets: name w in w_ns",
                "deployments: to as {namespaces}/{deployments}",
                "jobs: name w in w_ns",
                "namespaces: from as {services}.{namespaces}",
                "nodes: host",
                "pods: uid as {pods}@{namespaces}",
                "replicationcontrollers: name w in w_ns",
                "services: from as {services}.{namespaces}",
                "statefulsets: name w in w_ns",
            ],
            source.Show());
    }

    [Fact]
    public void The_keys_that_few_meshes_need_are_read()
    {
        MeshDescriptor mesh = DescriptorReader.Read(
            """
            name: few
            title: Few
            within: all
            outcome: {failure: ['code="5"']}
            server:
              requests: [r_total, r]
              latency:
                histogram: r_seconds
                unit: s
                destination: {namespace: l_ns, kinds: {pods: l_pod}}
              destination:
                namespace: ns
                workload: [w, {through: pods}]
                packed: {label: to, pattern: ["{services}:{port}", "x/{services}"]}
                kinds: {pods: pod, replicasets: {through: pods}}
              source:
                kinds:
                  services: {unique: caller}
                  cronjobs: {unique: run}
            cannot:
              nodes: "no label for nodes"
              edges: "nobody calls"
            advice: {series: "Turn it on.", labels: "Keep them."}
            """,
            "few.yaml");
        Assert.Equal("all", mesh.Within);
        MeshSide server = mesh.Server!;
        Assert.Equal("r_total", server.Requests);
        Assert.Equal(["r"], server.OtherNames);
        Assert.Equal(["namespaces: l_ns", "pods: l_pod in l_ns"], server.Latency!.Destination!.Show());
        Assert.Null(server.Latency.Source);
        Assert.Equal(
            [
                "cronjobs: name w in ns or through pods",
                "daemonsets: name w in ns or through pods",
                "deployments: name w in ns or through pods",
                "jobs: name w in ns or through pods",
                "namespaces: ns",
                "pods: pod in ns",
                "replicasets: through pods",
                "replicationcontrollers: name w in ns or through pods",
                "services: to as {services}:{port} or x/{services}",
                "statefulsets: name w in ns or through pods",
            ],
            server.Destination.Show());
        Assert.Equal(["cronjobs: unique run", "services: unique caller"], server.Source!.Show());
        Assert.Equal(["edges=nobody calls", "nodes=no label for nodes"], mesh.Cannot.Select(pair => $"{pair.Key}={pair.Value}").Order(StringComparer.Ordinal));
        Assert.Equal(new Advice("Turn it on.", "Keep them."), mesh.Advice);
    }

    [Fact]
    public void What_is_not_given_is_empty()
    {
        MeshDescriptor mesh = DescriptorReader.Read(Sound, "m.yaml");
        Assert.Null(mesh.Within);
        Assert.Empty(mesh.Splits);
        Assert.Empty(mesh.Cannot);
        Assert.Equal(new Advice(null, null), mesh.Advice);
        Assert.Empty(mesh.Server!.OtherNames);
        Assert.Null(mesh.Server.Latency!.Destination);
    }

    [Fact]
    public void A_workload_through_pods_tells_ReplicaSets_too()
    {
        MeshDescriptor mesh = DescriptorReader.Read(Sound.Replace("workload: workload", "workload: {through: pods}", StringComparison.Ordinal), "m.yaml");
        Assert.All(KindNames.Workloads, kind => Assert.IsType<IdentityMeans.ThroughPods>(mesh.Server!.Destination.Means[kind]));
    }

    [Fact]
    public void A_descriptor_cut_off_anywhere_is_read_or_refused_with_lines()
    {
        byte[] whole = Encoding.UTF8.GetBytes(DocumentationTests.WorkedExample());
        int read = 0;
        for (int length = 0; length <= whole.Length; length++)
        {
            try
            {
                DescriptorReader.Read(Encoding.UTF8.GetString(whole.AsSpan(0, length)), "cut.yaml");
                read++;
            }
            catch (DescriptorException exception)
            {
                Assert.NotEmpty(exception.Mistakes);
                Assert.All(exception.Mistakes, mistake => Assert.Matches("^cut\\.yaml:[1-9][0-9]*: [^\n]+$", mistake));
            }
        }

        Assert.True(read > 0);
    }

    [Fact]
    public void A_descriptor_with_anything_put_in_anywhere_is_read_or_refused()
    {
        string whole = DocumentationTests.WorkedExample();
        Gen<string> insertions = Gen.Char["\0\a\n\r\t  \"'[]{}:,-#&*!|>%@`?~<=/.\\_ax0é\u2028\ufeff"].Array[0, 4].Select(characters => new string(characters));
        Gen.Select(Gen.Int[0, whole.Length], Gen.Int[0, 20], insertions).Sample(
            (at, removed, inserted) =>
            {
                string text = whole.Remove(at, Math.Min(removed, whole.Length - at)).Insert(at, inserted);
                Assert.All(Mistakes(text, "f"), mistake => Assert.Matches("^f:[1-9][0-9]*: [^\n]+$", mistake));
            },
            iter: 3_000);
    }

    private static IReadOnlyList<string> Mistakes(string text, string file = "mesh/m.yaml")
    {
        try
        {
            DescriptorReader.Read(text, file);
            return [];
        }
        catch (DescriptorException exception)
        {
            return exception.Mistakes;
        }
    }
}
