using Microsoft.AspNetCore.Http;
using SmiMetrics.Api;

namespace SmiMetrics.Tests.Api;

public sealed class NegotiationTests
{
    private const string TableOrJson =
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

    private const string MetadataOrJson =
        "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,"
        + "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

    /// <summary>What each client that is known to ask gets for a list; nothing is a 406.</summary>
    [Theory]
    [InlineData("", "Whole ")]
    [InlineData("*/*", "Whole ")]
    [InlineData("application/*", "Whole ")]
    [InlineData("application/json", "Whole ")]
    [InlineData("APPLICATION/JSON", "Whole ")]
    [InlineData("application/json; charset=utf-8", "Whole ")]
    [InlineData("application/json;profile=nopeer", "Whole ")]
    [InlineData("application/json, */*", "Whole ")]
    [InlineData("application/yaml", "Whole ")]
    [InlineData("application/vnd.kubernetes.protobuf, */*", "Whole ")]
    [InlineData("application/vnd.kubernetes.protobuf,application/json", "Whole ")]
    [InlineData("application/cbor,application/json", "Whole ")]
    [InlineData(TableOrJson, "Table v1")]
    [InlineData("application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json", "Table v1beta1")]
    [InlineData("application/json;as=Table;v=v2;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io", "Table v1beta1")]
    [InlineData("application/json;as=Table;v=v2;g=meta.k8s.io,application/json", "Whole ")]
    [InlineData("application/json;as=Table;v=v1;g=other.io,application/json", "Whole ")]
    [InlineData("application/json;as=Table;v=v1;g=meta.k8s.io", "Table v1")]
    [InlineData("application/yaml;as=Table;v=v1;g=meta.k8s.io", "Table v1")]
    [InlineData("application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json", "Whole ")]
    [InlineData(MetadataOrJson, "Metadata v1")]
    [InlineData("application/json;q=0.1,application/json;as=Table;v=v1;g=meta.k8s.io;q=0.9", "Table v1")]
    [InlineData("application/json,application/json;as=Table;v=v1;g=meta.k8s.io", "Whole ")]
    [InlineData("nonsense,application/json", "Whole ")]
    [InlineData("application/vnd.kubernetes.protobuf", null)]
    [InlineData("application/cbor", null)]
    [InlineData("text/html", null)]
    [InlineData("nonsense", null)]
    [InlineData("application/json;q=0", null)]
    [InlineData("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json", null)]
    [InlineData("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList", null)]
    public void Every_caller_gets_the_first_form_that_it_takes_and_we_have(string accept, string? form)
    {
        HttpRequest request = Request(accept);
        if (form is null)
        {
            Assert.Equal(406, Assert.Throws<StatusException>(() => Representation.Of(request, isList: true)).Status.Code);
        }
        else
        {
            Representation representation = Representation.Of(request, isList: true);
            Assert.Equal(form, $"{representation.Form} {representation.MetaVersion}");
        }
    }

    [Fact]
    public void The_metadata_of_one_object_is_not_a_list()
    {
        Assert.Equal(ObjectForm.Metadata, Representation.Of(Request("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"), isList: false).Form);
        StatusException refused = Assert.Throws<StatusException>(() => Representation.Of(Request(MetadataOrJson), isList: false));
        Assert.Equal("you requested PartialObjectMetadataList, but the requested object is not a list", refused.Message);
    }

    [Theory]
    [InlineData("", RowObject.Metadata)]
    [InlineData("?includeObject=", RowObject.Metadata)]
    [InlineData("?includeObject=Metadata", RowObject.Metadata)]
    [InlineData("?includeObject=Object", RowObject.Object)]
    [InlineData("?includeObject=None", RowObject.None)]
    [InlineData("?includeObject=metadata", null)]
    [InlineData("?includeObject=bogus", null)]
    [InlineData("?includeObject=None&includeObject=Object", RowObject.None)]
    public void The_rows_of_a_table_bring_what_is_asked_for(string query, object? expected)
    {
        HttpRequest request = Request(TableOrJson);
        request.QueryString = new QueryString(query);
        if (expected is null)
        {
            Assert.StartsWith("Unable to convert to Table as requested: includeObject: Invalid value: ", Assert.Throws<StatusException>(() => Representation.Of(request, isList: true)).Message, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal(expected, Representation.Of(request, isList: true).RowObject);
        }
    }

    [Theory]
    [InlineData("application/json", "json")]
    [InlineData("application/yaml", "yaml")]
    [InlineData("application/yaml, application/json", "yaml")]
    [InlineData("application/json, application/yaml", "json")]
    [InlineData("application/yaml;q=0.5, application/json", "json")]
    [InlineData("*/*, application/yaml", "yaml")]
    [InlineData("application/*, application/yaml;q=0.5", "json")]
    public void Clauses_are_in_the_order_of_their_quality_then_of_what_they_say(string accept, string subType) =>
        Assert.Equal("application/" + subType, Negotiation.Clauses(Request(accept)).Select(Answer.MediaTypeFor).First());

    /// <summary>The form was that of one clause and the media type that of another, which had been passed over.</summary>
    [Theory]
    [InlineData("application/yaml;as=Bogus;g=meta.k8s.io;v=v1, application/json", "application/json")]
    [InlineData("application/json;as=Bogus;g=meta.k8s.io;v=v1, application/yaml", "application/yaml")]
    [InlineData("application/yaml;as=Table;g=meta.k8s.io;v=v1, application/json", "application/yaml")]
    public void The_clause_that_says_the_form_says_the_media_type(string accept, string mediaType) =>
        Assert.Equal(mediaType, Representation.Of(Request(accept), isList: true).MediaType);

    /// <summary>A megabyte of clauses cost a third of a second and 75 MB, before anybody had asked who sends it.</summary>
    [Fact]
    public void A_header_of_absurd_length_is_not_read() =>
        Assert.Equal([AcceptClause.Anything], Negotiation.Clauses(Request(string.Concat(Enumerable.Repeat("application/yaml,", 1000)))));

    private static HttpRequest Request(string accept)
    {
        DefaultHttpContext context = new();
        if (accept.Length > 0)
        {
            context.Request.Headers.Accept = accept;
        }

        return context.Request;
    }
}
