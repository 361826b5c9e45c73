namespace Vfio.User;

/// <summary>
/// How a <see cref="VfioUserServer"/> serves. The defaults suit the known clients; what they need of a server was observed on each of them.
/// </summary>
public sealed record VfioUserServerOptions
{
    /// <summary>
    /// A word for people: it names the serving thread (<c>vfio-user:NAME</c>) and stands in every log line. The endpoint by default.
    /// </summary>
    public string? Name { get; init; }

    /// <summary>
    /// How long a client may take to negotiate a version before it is dropped so that others are served. Infinite is allowed.
    /// </summary>
    public TimeSpan NegotiationTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// From when on an answer that carries data is replaced by a header with ETIMEDOUT. QEMU gives up on a request after 5 s, and loses the
    /// stream for good when the data comes later; a late header it ignores. What was asked for has been done, or is to be asked for again:
    /// no byte of a data stream and no bit of a log is lost by it, and <see cref="VfioUserDevice"/> does so by itself. Infinite is allowed:
    /// for clients that wait as long as it takes, and do not change the state of a device while they read.
    /// </summary>
    public TimeSpan ReplyDeadline { get; init; } = TimeSpan.FromSeconds(4.5);

    /// <summary>
    /// How long a transfer by message that is made while a request of the client is being answered may wait for the client: ETIMEDOUT after
    /// that. Must leave time before <see cref="ReplyDeadline"/>. Transfers of a device's own threads wait until they are cancelled.
    /// </summary>
    public TimeSpan TransferTimeout { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>
    /// How many DMA maps a client may have at once, 1 to 1,048,576 (the default: some 120 MiB of this process's memory); ENOSPC beyond. The
    /// client is told 65535 at most: QEMU refuses a server that says more, and maps more all the same for a guest that has an IOMMU.
    /// </summary>
    public int MaxDmaMaps { get; init; } = Wire.Limits.DmaMaps;

    /// <summary>
    /// Whether the device, once a client has had it opened, stays open until the server ends, with its state: the migration state that the
    /// client left it in, registers, what its driver was about. For clients that come back, and for one that restores a state for another
    /// to go on with. Of a client that is gone nothing is left all the same: its eventfds, its maps and its data stream are given up, its
    /// DMA is cancelled, and its DMA logging stopped; but descriptors that it was given cannot be taken back. By default the device is
    /// closed, and opened anew, which resets it.
    /// </summary>
    public bool KeepOpen { get; init; }

    /// <summary>Whether <see cref="VfioUserServer.RunAsync"/> ends when the first client that negotiated a version is gone.</summary>
    public bool EndAfterOneClient { get; init; }

    /// <summary>
    /// The VF token that the device is opened with for every client, because the protocol has no way for a client to bring its own; null
    /// for none.
    /// </summary>
    public Guid? VfToken { get; init; }

    /// <summary>The clock of the time-outs above.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxDmaMaps, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MaxDmaMaps, Wire.Limits.DmaMaps);
        ThrowIfNegative(NegotiationTimeout, nameof(NegotiationTimeout));
        ThrowIfNegative(ReplyDeadline, nameof(ReplyDeadline));
        ThrowIfNegative(TransferTimeout, nameof(TransferTimeout));
    }

    private static void ThrowIfNegative(TimeSpan value, string name)
    {
        if (value != Timeout.InfiniteTimeSpan)
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero, name);
    }
}
