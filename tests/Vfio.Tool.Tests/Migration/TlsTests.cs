using System.Net.Security;
using System.Net.Sockets;

namespace Vfio.Tool.Tests.Migration;

public sealed class TlsTests
{
    private const string Anywhere = "tcp:127.0.0.1:0";

    [Fact]
    public async Task Both_sides_show_certificates_and_the_device_moves()
    {
        await using var movers = await Movers.StartAsync();
        var authority = new TestAuthority(movers.Directory.FullName, "ca");
        var (ended, waiting) = movers.Restore(Anywhere, authority.Options("127.0.0.1"));
        var sent = await movers.MigrateAsync(await waiting, authority.Options("source"));
        Assert.Equal((0, 0), (sent.Code, (await ended).Code));
        Assert.DoesNotContain("is not protected", sent.Error, StringComparison.Ordinal);
        await movers.AssertMovedAsync();
    }

    [Fact]
    public async Task Without_TLS_it_moves_with_a_warning_on_both_sides()
    {
        await using var movers = await Movers.StartAsync();
        var (ended, waiting) = movers.Restore(Anywhere, "--insecure");
        var sent = await movers.MigrateAsync(await waiting, "--insecure");
        var received = await ended;
        Assert.Equal((0, 0), (sent.Code, received.Code));
        Assert.All([sent, received], side => Assert.Contains("is not protected", side.Error, StringComparison.Ordinal));
        await movers.AssertMovedAsync();
    }

    [Theory]
    [InlineData("the source believes another authority")]
    [InlineData("the destination believes another authority")]
    [InlineData("the destination has another name")]
    public async Task Who_cannot_be_believed_gets_nothing(string what)
    {
        await using var movers = await Movers.StartAsync();
        var authority = new TestAuthority(movers.Directory.FullName, "ca");
        var other = new TestAuthority(movers.Directory.FullName, "other");
        var (ended, waiting) = movers.Restore(
            Anywhere,
            authority.Options(what.EndsWith("name", StringComparison.Ordinal) ? "other.example" : "127.0.0.1",
                what.StartsWith("the destination believes", StringComparison.Ordinal) ? other : authority));
        var sent = await movers.MigrateAsync(
            await waiting, authority.Options("source", what.StartsWith("the source", StringComparison.Ordinal) ? other : authority));
        var received = await ended;
        Assert.Equal((1, 1), (sent.Code, received.Code));
        Assert.NotEmpty(sent.Error);
        Assert.NotEmpty(received.Error);
        await movers.AssertNotMovedAsync();
    }

    [Fact]
    public async Task A_source_without_a_certificate_is_refused()
    {
        await using var movers = await Movers.StartAsync();
        var authority = new TestAuthority(movers.Directory.FullName, "ca");
        var (ended, waiting) = movers.Restore(Anywhere, authority.Options("127.0.0.1"));
        var port = int.Parse((await waiting).Split(':')[^1], System.Globalization.CultureInfo.InvariantCulture);
        using var tcp = new TcpClient("127.0.0.1", port);
        await using var stream = new SslStream(tcp.GetStream(), false, (_, shown, _, _) => shown?.Issuer == authority.Certificate.Subject);
        try
        {
            await stream.AuthenticateAsClientAsync("127.0.0.1");
            _ = await stream.ReadAsync(new byte[1], TestContext.Current.CancellationToken);
        }
        catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
        {
            // It hears of it during or after the handshake, as the version of TLS has it.
        }

        (await ended).AssertRefused("TLS");
        await movers.AssertNotMovedAsync();
    }

    [Fact]
    public async Task Files_that_are_no_certificates_are_named()
    {
        await using var movers = await Movers.StartAsync();
        await File.WriteAllTextAsync(movers.Path("junk"), "junk", TestContext.Current.CancellationToken);
        var result = await movers.MigrateAsync(
            "tcp:127.0.0.1:1", "--cert", movers.Path("junk"), "--key", movers.Path("junk"), "--ca", movers.Path("junk"));
        result.AssertFailed(1, "--ca");
    }
}
