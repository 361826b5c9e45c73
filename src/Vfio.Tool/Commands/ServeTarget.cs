using System.CommandLine;
using Vfio.User;

namespace Vfio.Tool.Commands;

/// <summary>A function to serve, and where.</summary>
/// <param name="Function">As it was typed.</param>
/// <param name="Endpoint">Where.</param>
/// <param name="Place">The endpoint for people.</param>
internal sealed record ServeTarget(string Function, VfioUserEndpoint Endpoint, string Place)
{
    /// <summary>Takes the targets from the command line.</summary>
    /// <exception cref="UsageException">There is none, or one lacks its other half.</exception>
    public static IReadOnlyList<ServeTarget> From(string? function, string? path, int? fd, IReadOnlyList<string> pairs)
    {
        var targets = new List<ServeTarget>();
        if (path is not null && fd is not null)
            throw new UsageException("--socket-path and --fd are two places for one function; give one of them");
        if (function is not null)
        {
            targets.Add(path is not null ? AtPath(function, path)
                : fd is { } descriptor ? AtDescriptor(function, descriptor)
                : throw new UsageException($"where is {function} to be served? Add --socket-path PATH, or --fd N"));
        }
        else if (path is not null || fd is not null)
        {
            throw new UsageException("which function is to be served there? Name it: vfio serve FUNCTION --socket-path PATH");
        }

        foreach (var pair in pairs)
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || equals == pair.Length - 1)
                throw new UsageException($"--serve {pair}: it must be FUNCTION=PATH");
            targets.Add(AtPath(pair[..equals], pair[(equals + 1)..]));
        }

        return targets.Count > 0
            ? targets
            : throw new UsageException("nothing to serve; vfio serve FUNCTION --socket-path PATH, or --serve FUNCTION=PATH");
    }

    private static ServeTarget AtPath(string function, string path) => path.Length > 0
        ? new(function, VfioUserEndpoint.Path(path), path)
        : throw new UsageException("--socket-path: a socket's path is not empty");

    private static ServeTarget AtDescriptor(string function, int fd)
        => new(function, VfioUserEndpoint.Descriptor(InheritedDescriptor.Take("--fd", fd)), $"fd {fd}");
}
