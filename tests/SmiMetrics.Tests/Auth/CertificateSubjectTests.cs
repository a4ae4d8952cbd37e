using System.Formats.Asn1;
using System.Security.Cryptography.X509Certificates;
using SmiMetrics.Auth;

namespace SmiMetrics.Tests.Auth;

public sealed class CertificateSubjectTests
{
    private static readonly TestAuthority Authority = TestAuthority.Root("ca");

    [Fact]
    public void The_last_common_name_and_every_organization_count()
    {
        CertificateSubject subject = Of(("2.5.4.3", UniversalTagNumber.UTF8String, "first"), ("2.5.4.10", UniversalTagNumber.UTF8String, "dev"), ("2.5.4.3", UniversalTagNumber.PrintableString, "last"), ("2.5.4.10", UniversalTagNumber.UTF8String, "ops"));
        Assert.Equal("last", subject.CommonName);
        Assert.Equal(["dev", "ops"], subject.Organizations);
    }

    /// <summary>A name that was no text ended the request of a stranger with 500, and a stack in the log.</summary>
    [Theory]
    [InlineData("2.5.4.3")]
    [InlineData("2.5.4.10")]
    public void What_is_no_text_is_passed_over(string attribute)
    {
        CertificateSubject subject = Of((attribute, UniversalTagNumber.BitString, "x"), ("2.5.4.3", UniversalTagNumber.UTF8String, "bob"));
        Assert.Equal("bob", subject.CommonName);
        Assert.Empty(subject.Organizations);
    }

    private static CertificateSubject Of(params (string Oid, UniversalTagNumber Type, string Value)[] attributes)
    {
        AsnWriter name = new(AsnEncodingRules.DER);
        using (name.PushSequence())
        {
            foreach ((string oid, UniversalTagNumber type, string value) in attributes)
            {
                using (name.PushSetOf())
                using (name.PushSequence())
                {
                    name.WriteObjectIdentifier(oid);
                    if (type == UniversalTagNumber.BitString)
                    {
                        name.WriteBitString([1, 2, 3]);
                    }
                    else
                    {
                        name.WriteCharacterString(type, value);
                    }
                }
            }
        }

        using X509Certificate2 certificate = Authority.Issue(new X500DistinguishedName(name.Encode()), TestAuthority.Now.AddHours(-1), TestAuthority.Now.AddHours(1));
        return CertificateSubject.Of(certificate);
    }
}
