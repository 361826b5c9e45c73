using System.Buffers.Binary;
using Vfio.Core.EventFds;

namespace Vfio.Core.Regions;

/// <summary>What tells one ioeventfd of a device from another.</summary>
/// <param name="Region">The BAR.</param>
/// <param name="Offset">From its start.</param>
/// <param name="Width">1, 2 or 4.</param>
/// <param name="Data">What is written; all of it counts, though the width may cut it.</param>
internal readonly record struct IoEventFdKey(int Region, ulong Offset, int Width, ulong Data);

/// <summary>An eventfd that stands for a write.</summary>
internal sealed class IoEventFd(FunctionBar bar, IoEventFdKey key)
{
    private long _pending;

    public FunctionBar Bar { get; } = bar;

    public IoEventFdKey Key { get; } = key;

    public EventFdWatch? Watch { get; set; }

    /// <summary>Notes writes that could not be made yet.</summary>
    public void Postpone(ulong count) => Interlocked.Add(ref _pending, (long)count);

    /// <summary>The writes that have not been made.</summary>
    public ulong TakePostponed() => (ulong)Interlocked.Exchange(ref _pending, 0);

    /// <summary>Makes one write; the gate is held, and the BAR answers.</summary>
    public void Write()
    {
        Span<byte> data = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(data, Key.Data);
        Bar.Write(Key.Offset, data[..Key.Width]);
    }
}
