using Microsoft.Win32.SafeHandles;

namespace Vfio.User;

/// <summary>Where clients reach a server: the <c>--socket-path</c> and <c>--fd</c> of the protocol's back-end conventions.</summary>
public sealed class VfioUserEndpoint
{
    private VfioUserEndpoint(string? socketPath, SafeFileHandle? socket)
    {
        SocketPath = socketPath;
        Socket = socket;
    }

    internal string? SocketPath { get; }

    internal SafeFileHandle? Socket { get; }

    /// <summary>
    /// A unix socket that the server creates, open to its own user alone (mode 0600), and removes when it ends. A socket that is there
    /// already is replaced if nobody listens on it.
    /// </summary>
    /// <param name="path">The path, at most 107 bytes of UTF-8.</param>
    public static VfioUserEndpoint Path(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new(path, null);
    }

    /// <summary>
    /// A unix stream socket that somebody else made: one that listens, or one that is connected and serves its one client.
    /// </summary>
    /// <param name="fd">The descriptor; the server owns it once it runs, and closes it when it ends.</param>
    public static VfioUserEndpoint Descriptor(SafeFileHandle fd)
    {
        ArgumentNullException.ThrowIfNull(fd);
        return new(null, fd);
    }

    /// <inheritdoc/>
    public override string ToString() => SocketPath ?? $"descriptor {Socket!.DangerousGetHandle()}";
}
