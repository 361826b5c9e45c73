using Microsoft.Extensions.Logging;
using Vfio.User.Remote;

namespace Vfio.User;

/// <summary>
/// Functions of other processes: the device of each vfio-user server becomes one function that a driver can be put in front of.
/// Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// The protocol does not say where a device sits, so the address is made up: segment <c>ffff</c>, which no host has, and the place in the
/// order in which the servers were named. The first is <c>ffff:00:00.0</c>, the second <c>ffff:00:01.0</c>, the 33rd <c>ffff:01:00.0</c>.
/// </para>
/// <para>
/// A server takes one client at a time. Discovery connects, reads what the device is, without resetting it, and disconnects; from then on a
/// function is connected while its device is open. It is no VF to a driver, because nobody tells.
/// </para>
/// </remarks>
/// <param name="remotes">The servers.</param>
/// <param name="loggers">Whom to tell of what a server does wrong; null for no one.</param>
public sealed class VfioUserFunctionSource(IEnumerable<VfioUserRemote> remotes, ILoggerFactory? loggers = null) : IFunctionSource
{
    /// <summary>The segment of every function of this source.</summary>
    public const ushort Segment = 0xFFFF;

    private const int DevicesOfABus = 32, MostFunctions = 256 * DevicesOfABus;
    private readonly VfioUserRemote[] _remotes = [.. remotes];

    /// <inheritdoc/>
    public string Name => "remote";

    /// <inheritdoc/>
    /// <exception cref="VfioException">
    /// ENOENT, ECONNREFUSED: nobody listens. ETIMEDOUT: no answer; another client may have it. EPROTO: it is no vfio-user server.
    /// EOPNOTSUPP: it speaks another version, or its device is no PCI function. EEXIST: one socket is named twice. Any errno of the server.
    /// </exception>
    public async ValueTask<IReadOnlyList<IPciFunction>> DiscoverAsync(CancellationToken cancellationToken)
    {
        if (_remotes.Length > MostFunctions)
            throw new VfioException(Errno.ENOSPC, $"{_remotes.Length} remote functions: there are addresses for {MostFunctions}");
        if (_remotes.GroupBy(r => Path.GetFullPath(r.SocketPath), StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new VfioException(Errno.EEXIST, $"{twice.Key} is named twice; a vfio-user server takes one client at a time");
        var logger = loggers?.CreateLogger<VfioUserFunctionSource>();
        return await Task.WhenAll(_remotes.Select((remote, place) =>
            RemoteDiscovery.FindAsync(remote, AddressOf(place), logger, cancellationToken))).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public IControllingFunction? ControllerOf(PciAddress controlled) => null;

    private static PciAddress AddressOf(int place) => new(Segment, (byte)(place / DevicesOfABus), (byte)(place % DevicesOfABus), 0);
}
