using Vfio.User.Wire;

namespace Vfio.User;

/// <summary>
/// How a <see cref="VfioUserClient"/> speaks to its server, and a <see cref="VfioUserDevice"/> opens. The defaults suit the known servers.
/// </summary>
public sealed record VfioUserClientOptions
{
    /// <summary>A word for people: it names the client's threads and stands in every log line. The endpoint by default.</summary>
    public string? Name { get; init; }

    /// <summary>How long the server may take to accept the connection and to negotiate a version. Infinite is allowed.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a call may take before it fails with ETIMEDOUT; its reply, if it comes later, is dropped. Infinite by default, as an ioctl
    /// waits: the end of the server and <see cref="VfioUserClient.DisposeAsync"/> end every call.
    /// A server that has not taken all of a command by then, or stops within the data of its reply for as long again, loses the connection:
    /// nothing can follow half a message.
    /// </summary>
    public TimeSpan CallTimeout { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>
    /// Whether to propose a socket of its own for the server's DMA requests. Some servers cannot do without once both sides ask.
    /// </summary>
    public bool TwinSocket { get; init; } = true;

    /// <summary>
    /// The most data of one write message, 1 to 1,048,576. Null, the default: what the server announces if it is known to mean it, and
    /// 32 KiB otherwise, because libvfio-user announces 1 MiB and loses the stream when a body comes in pieces.
    /// </summary>
    public int? MaxWriteSize { get; init; }

    /// <summary>
    /// Whether <see cref="VfioUserDevice"/> resets the device when it opens it, as opening does. False for those who come to move the state
    /// of a device that its server has kept since its last client.
    /// </summary>
    public bool ResetOnOpen { get; init; } = true;

    internal void Validate()
    {
        ThrowIfNegative(ConnectTimeout, nameof(ConnectTimeout));
        ThrowIfNegative(CallTimeout, nameof(CallTimeout));
        if (MaxWriteSize is not { } most)
            return;
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1, nameof(MaxWriteSize));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(most, (int)Limits.DataTransfer, nameof(MaxWriteSize));
    }

    private static void ThrowIfNegative(TimeSpan value, string name)
    {
        if (value != Timeout.InfiniteTimeSpan)
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero, name);
    }
}
