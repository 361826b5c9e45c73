namespace Vfio.User;

/// <summary>A vfio-user server whose device is to be a function here.</summary>
/// <param name="SocketPath">The unix socket that it listens on.</param>
/// <param name="Options">How to speak to it; null for the defaults.</param>
public sealed record VfioUserRemote(string SocketPath, VfioUserClientOptions? Options = null);
