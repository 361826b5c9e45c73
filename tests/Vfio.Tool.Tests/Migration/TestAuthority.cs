using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Vfio.Tool.Tests.Migration;

/// <summary>An authority, and the files of those that it has certified.</summary>
internal sealed class TestAuthority
{
    private readonly string _directory;
    private readonly string _name;
    private readonly X509Certificate2 _certificate;

    public TestAuthority(string directory, string name)
    {
        (_directory, _name) = (directory, name);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(2));
        File.WriteAllText(CaFile, _certificate.ExportCertificatePem());
    }

    public string CaFile => Path.Combine(_directory, $"{_name}.pem");

    public X509Certificate2 Certificate => _certificate;

    /// <summary>The options of one who has a certificate of this authority, and believes another.</summary>
    public string[] Options(string host, TestAuthority? believes = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(host, out var address))
            names.AddIpAddress(address);
        else
            names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(
            _certificate, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(1), RandomNumberGenerator.GetBytes(8));
        var name = Path.Combine(_directory, $"{_name}-{Guid.NewGuid():n}");
        File.WriteAllText($"{name}.crt", certificate.ExportCertificatePem());
        File.WriteAllText($"{name}.key", key.ExportPkcs8PrivateKeyPem());
        return ["--cert", $"{name}.crt", "--key", $"{name}.key", "--ca", (believes ?? this).CaFile];
    }
}
