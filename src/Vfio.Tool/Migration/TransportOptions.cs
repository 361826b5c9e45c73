using System.CommandLine;

namespace Vfio.Tool.Migration;

/// <summary>How the two sides of a migration make sure of each other: the same for both commands.</summary>
internal sealed class TransportOptions
{
    private readonly Option<FileInfo?> _certificate = new("--cert")
    {
        Description = "tcp: this side's certificate, and those between it and the authority; PEM.", HelpName = "FILE",
    };

    private readonly Option<FileInfo?> _key = new("--key") { Description = "tcp: the certificate's private key; PEM.", HelpName = "FILE" };

    private readonly Option<FileInfo?> _authority = new("--ca")
    {
        Description = "tcp: the authorities that the other side's certificate may come from; PEM.", HelpName = "FILE",
    };

    private readonly Option<bool> _insecure = new("--insecure")
    {
        Description = "tcp: without TLS. Whoever is on the way can read and alter the devices' state.",
    };

    private readonly Option<int?> _timeout = new("--timeout")
    {
        Description = "Give up when it is not done after so long. Never by default.",
        HelpName = "SECONDS",
        CustomParser = OptionValues.Number,
    };

    public void AddTo(Command command)
    {
        command.Add(_certificate);
        command.Add(_key);
        command.Add(_authority);
        command.Add(_insecure);
        command.Add(_timeout);
    }

    /// <summary>How to speak at a place; null: without TLS, at a place that has no need of it or where it was not wanted.</summary>
    /// <exception cref="UsageException">The options do not go with the place, or with each other.</exception>
    public TlsIdentity? Identity(ParseResult parsed, MigrationPlace place)
    {
        var insecure = parsed.GetValue(_insecure);
        var files = new[] { parsed.GetValue(_certificate), parsed.GetValue(_key), parsed.GetValue(_authority) };
        var given = files.Count(f => f is not null);
        if (place is not TcpPlace)
        {
            return given == 0 && !insecure ? null
                : throw new UsageException($"--cert, --key, --ca and --insecure are for tcp:HOST:PORT; {place} has no use for them");
        }

        if (insecure)
            return given == 0 ? null : throw new UsageException("--insecure is without TLS, so --cert, --key and --ca have no use");
        return given == files.Length
            ? TlsIdentity.Read(files[0]!, files[1]!, files[2]!)
            : throw new UsageException($"{place} needs --cert, --key and --ca, for TLS with certificates on both sides; or --insecure");
    }

    /// <summary>How long it may take.</summary>
    public TimeSpan Timeout(ParseResult parsed) => parsed.GetValue(_timeout) switch
    {
        null => System.Threading.Timeout.InfiniteTimeSpan,
        > 0 and <= int.MaxValue / 1000 and var seconds => TimeSpan.FromSeconds(seconds),
        var wrong => throw new UsageException($"--timeout {wrong}: it is 1 to {int.MaxValue / 1000} seconds"),
    };

    /// <summary>What is said once to those who do without.</summary>
    public static string? Warning(MigrationPlace place, TlsIdentity? identity) => place is TcpPlace && identity is null
        ? $"vfio: warning: {place} is not protected (--insecure): whoever is on the way can read and alter the devices' state"
        : null;
}
