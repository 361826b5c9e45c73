using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Vfio.Tool.Migration;

/// <summary>Where to or where from, as the command line names it.</summary>
internal abstract partial record MigrationPlace
{
    // sockaddr_un's, with a 0 behind it.
    private const int LongestSocketPath = 107;

    /// <summary>Takes a place from the command line.</summary>
    /// <param name="text">As it was typed.</param>
    /// <exception cref="UsageException">It is none.</exception>
    public static MigrationPlace Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var (scheme, rest) = colon < 0 ? (string.Empty, text) : (text[..colon], text[(colon + 1)..]);
        return scheme switch
        {
            "unix" => ParseUnix(rest),
            "tcp" => ParseTcp(rest),
            "file" => new FilePlace(rest.Length > 0 ? rest : throw new UsageException("file: a file's name is not empty")),
            _ when text.Length == 0 => throw new UsageException("a place is not empty"),
            _ => Address().IsMatch(text) ? new FunctionPlace(text) : new FilePlace(text),
        };
    }

    private static UnixPlace ParseUnix(string path) => Encoding.UTF8.GetByteCount(path) switch
    {
        0 => throw new UsageException("unix: a socket's path is not empty"),
        > LongestSocketPath => throw new UsageException($"unix:{path}: a socket's path has at most {LongestSocketPath} bytes"),
        _ => new(path),
    };

    private static TcpPlace ParseTcp(string text)
    {
        var colon = text.LastIndexOf(':');
        if (colon > 0 && ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
        {
            var host = text[..colon];
            var isBracketed = host is ['[', _, .., ']'];
            if (isBracketed || !host.Contains(':', StringComparison.Ordinal))
                return new(isBracketed ? host[1..^1] : host, port);
        }

        throw new UsageException($"tcp:{text}: it must be tcp:HOST:PORT, an IPv6 address in brackets");
    }

    // What looks like an address is one; a file of such a name is file:00.1 or ./00.1.
    [GeneratedRegex(@"\A(?:(?:[0-9a-fA-F]{1,4}:)?[0-9a-fA-F]{1,2}:)?[0-9a-fA-F]{1,2}\.[0-7]\z")]
    private static partial Regex Address();
}

/// <summary>A function that this process knows.</summary>
internal sealed record FunctionPlace(string Function) : MigrationPlace
{
    public override string ToString() => Function;
}

/// <summary>A unix socket that a destination listens on.</summary>
internal sealed record UnixPlace(string Path) : MigrationPlace
{
    public override string ToString() => $"unix:{Path}";
}

/// <summary>A host and a port that a destination listens on.</summary>
internal sealed record TcpPlace(string Host, int Port) : MigrationPlace
{
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"tcp:[{Host}]:{Port}" : $"tcp:{Host}:{Port}";
}

/// <summary>A file.</summary>
internal sealed record FilePlace(string Path) : MigrationPlace
{
    public override string ToString() => Path;
}
