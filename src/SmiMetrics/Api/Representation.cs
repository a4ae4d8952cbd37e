namespace SmiMetrics.Api;

/// <summary>In which shape a caller wants objects (apiserver <c>pkg/endpoints/handlers/response.go</c>).</summary>
internal enum ObjectForm
{
    /// <summary>As they are.</summary>
    Whole,

    /// <summary>Rows for people to read: what <c>kubectl get</c> prints.</summary>
    Table,

    /// <summary>Metadata alone.</summary>
    Metadata,
}

/// <summary>What goes with each row of a table (<c>includeObject</c>).</summary>
internal enum RowObject
{
    None,
    Metadata,
    Object,
}

/// <summary>The form that a caller gets, of those that it takes the one it would rather have.</summary>
/// <param name="MetaVersion">Of <c>meta.k8s.io</c>, for tables and metadata: <c>v1</c> or <c>v1beta1</c>.</param>
/// <param name="RowObject">Of tables.</param>
internal sealed record Representation(string MediaType, ObjectForm Form, string MetaVersion, RowObject RowObject)
{
    private const string MetaGroup = "meta.k8s.io";

    public string MetaApiVersion => $"{MetaGroup}/{MetaVersion}";

    /// <exception cref="StatusException">406: nothing that the caller takes can be given; 400: <c>includeObject</c> is none.</exception>
    public static Representation Of(HttpRequest request, bool isList)
    {
        foreach (AcceptClause clause in Negotiation.Clauses(request))
        {
            if (Answer.MediaTypeFor(clause) is not { } mediaType)
            {
                continue;
            }

            if (clause.IsPlain)
            {
                return new Representation(mediaType, ObjectForm.Whole, "", RowObject.None);
            }

            if (clause is not { Group: MetaGroup, Version: "v1" or "v1beta1" })
            {
                continue;
            }

            switch (clause.As)
            {
                case "Table":
                    return new Representation(mediaType, ObjectForm.Table, clause.Version, ReadRowObject(request));
                case "PartialObjectMetadata" or "PartialObjectMetadataList" when clause.As.EndsWith("List", StringComparison.Ordinal) == isList:
                    return new Representation(mediaType, ObjectForm.Metadata, clause.Version, RowObject.None);
                case "PartialObjectMetadata" or "PartialObjectMetadataList":
                    throw new StatusException(Status.NotAcceptable(
                        $"you requested {clause.As}, but the requested object is {(isList ? "a list" : "not a list")}"));
            }
        }

        throw new StatusException(Status.NotAcceptable());
    }

    private static RowObject ReadRowObject(HttpRequest request) => Parameters.First(request.Query, "includeObject") switch
    {
        null or "" or "Metadata" => RowObject.Metadata,
        "Object" => RowObject.Object,
        "None" => RowObject.None,
        var other => throw new StatusException(Status.BadRequest(
            $"Unable to convert to Table as requested: includeObject: Invalid value: \"{other}\": must be 'Metadata', 'Object', 'None', or empty")),
    };
}
