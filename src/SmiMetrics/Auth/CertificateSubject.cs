using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace SmiMetrics.Auth;

/// <summary>What Kubernetes reads of a certificate's subject: the common name is the user, every organization a group.</summary>
/// <param name="CommonName">The last one if there are several, as Go reads it; empty if there is none.</param>
/// <param name="Organizations">In the order of the certificate.</param>
internal sealed record CertificateSubject(string CommonName, IReadOnlyList<string> Organizations)
{
    private const string CommonNameOid = "2.5.4.3";
    private const string OrganizationOid = "2.5.4.10";

    /// <summary>Nobody, where the subject is not what a subject should be.</summary>
    public static readonly CertificateSubject None = new("", []);

    // .NET's own reader passes over attributes that share a relative name, which Go and openssl both write and read.
    public static CertificateSubject Of(X509Certificate2 certificate)
    {
        string commonName = "";
        List<string> organizations = [];
        try
        {
            AsnReader names = new AsnReader(certificate.SubjectName.RawData, AsnEncodingRules.BER).ReadSequence();
            while (names.HasData)
            {
                AsnReader attributes = names.ReadSetOf(skipSortOrderValidation: true);
                while (attributes.HasData)
                {
                    AsnReader attribute = attributes.ReadSequence();
                    switch (attribute.ReadObjectIdentifier())
                    {
                        case CommonNameOid when IsText(attribute):
                            commonName = ReadText(attribute);
                            break;
                        case OrganizationOid when IsText(attribute):
                            organizations.Add(ReadText(attribute));
                            break;
                    }
                }
            }
        }
        catch (Exception e) when (e is AsnContentException or CryptographicException or InvalidOperationException)
        {
            return None;
        }

        return new CertificateSubject(commonName, organizations);
    }

    /// <summary>A stranger may put anything there. What is no text is passed over, as Go did it before 1.17; newer ones refuse such a certificate whole.</summary>
    private static bool IsText(AsnReader attribute) => attribute.PeekTag() is { TagClass: TagClass.Universal } tag && (UniversalTagNumber)tag.TagValue is
        UniversalTagNumber.UTF8String or UniversalTagNumber.PrintableString or UniversalTagNumber.IA5String or UniversalTagNumber.T61String
        or UniversalTagNumber.BMPString or UniversalTagNumber.NumericString;

    private static string ReadText(AsnReader attribute) => attribute.ReadCharacterString((UniversalTagNumber)attribute.PeekTag().TagValue);
}
