using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Vfio.Tool.Migration;

/// <summary>This side's certificate, and whom it believes. Both sides show one, and both check.</summary>
internal sealed class TlsIdentity : IDisposable
{
    private readonly X509Certificate2 _certificate;
    private readonly X509Certificate2Collection _chain;
    private readonly X509Certificate2Collection _authorities;

    private TlsIdentity(X509Certificate2 certificate, X509Certificate2Collection chain, X509Certificate2Collection authorities)
        => (_certificate, _chain, _authorities) = (certificate, chain, authorities);

    /// <summary>How long the other side has for the handshake, so that who says nothing does not keep the place.</summary>
    public TimeSpan HandshakeTimeout { get; set; } = TimeSpan.FromSeconds(30);

    public static TlsIdentity Read(FileInfo certificate, FileInfo key, FileInfo authorities)
    {
        try
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(certificate.FullName);
            var trusted = new X509Certificate2Collection();
            trusted.ImportFromPemFile(authorities.FullName);
            return trusted.Count > 0
                ? new(X509Certificate2.CreateFromPemFile(certificate.FullName, key.FullName), chain, trusted)
                : throw new VfioException(Errno.EINVAL, $"--ca {authorities}: no certificate is in it");
        }
        catch (CryptographicException e)
        {
            throw new VfioException(
                Errno.EINVAL, $"--cert {certificate}, --key {key}, --ca {authorities}: not as PEM files should be: {e.Message}", e);
        }
    }

    /// <summary>The source's side: it knows the name of whom it speaks to.</summary>
    public async Task<Stream> ConnectAsync(Stream plain, string host, CancellationToken cancellationToken)
    {
        var stream = new SslStream(plain, leaveInnerStreamOpen: false);
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = host,
            ClientCertificateContext = Context(),
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            CertificateChainPolicy = Policy(),
        };
        await ShakeHandsAsync(stream, end => stream.AuthenticateAsClientAsync(options, end), cancellationToken).ConfigureAwait(false);
        return stream;
    }

    /// <summary>The destination's side.</summary>
    public async Task<Stream> AcceptAsync(Stream plain, CancellationToken cancellationToken)
    {
        var stream = new SslStream(plain, leaveInnerStreamOpen: false);
        var options = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = Context(),
            ClientCertificateRequired = true,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            CertificateChainPolicy = Policy(),
        };
        await ShakeHandsAsync(stream, end => stream.AuthenticateAsServerAsync(options, end), cancellationToken).ConfigureAwait(false);
        return stream;
    }

    public void Dispose()
    {
        _certificate.Dispose();
        foreach (var one in _chain.Concat(_authorities))
            one.Dispose();
    }

    private async Task ShakeHandsAsync(SslStream stream, Func<CancellationToken, Task> handshake, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        end.CancelAfter(HandshakeTimeout);
        try
        {
            await handshake(end.Token).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw e switch
            {
                AuthenticationException => new VfioException(
                    Errno.EACCES, $"TLS: {$"{e.Message} {e.InnerException?.Message}".TrimEnd()}; look at --cert and --ca of both sides", e),
                IOException => new VfioException(
                    Errno.EACCES, $"TLS: {e.Message}; the other side may not believe --cert, and says why, or speaks no TLS", e),
                OperationCanceledException when !cancellationToken.IsCancellationRequested => new VfioException(
                    Errno.ETIMEDOUT,
                    $"TLS: no answer within {HandshakeTimeout.TotalSeconds:0} s; is the other side one without --insecure?",
                    e),
                _ => e,
            };
        }
    }

    private SslStreamCertificateContext Context() => SslStreamCertificateContext.Create(_certificate, _chain, offline: true);

    // Only the authorities that were named; lists of revoked certificates are not asked for over the network.
    private X509ChainPolicy Policy()
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(_authorities);
        return policy;
    }
}
