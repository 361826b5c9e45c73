namespace Vfio.User;

/// <summary>A vfio-user server whose device is to be a function here.</summary>
/// <param name="SocketPath">The unix socket that it listens on.</param>
/// <param name="Options">
/// How to speak to it. Null for the defaults, but with calls that fail with ETIMEDOUT after 30 seconds: a front end's thread may be in one,
/// and a server that hangs would keep it for ever.
/// </param>
public sealed record VfioUserRemote(string SocketPath, VfioUserClientOptions? Options = null)
{
    private static readonly VfioUserClientOptions Defaults = new() { CallTimeout = TimeSpan.FromSeconds(30) };

    internal VfioUserClientOptions EffectiveOptions => Options ?? Defaults;
}
