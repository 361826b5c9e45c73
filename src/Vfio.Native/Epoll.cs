using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vfio.Native;

/// <summary>What <see cref="Epoll.Wait"/> found: the number that a descriptor was added with, and EPOLL* bits.</summary>
/// <param name="Data">The number.</param>
/// <param name="Events">What is the matter with it.</param>
public readonly record struct EpollReady(ulong Data, uint Events);

/// <summary>
/// Waits for any of many descriptors to become readable, level-triggered: one call costs the same however many there are. Thread-safe; one
/// thread waits at a time.
/// </summary>
/// <remarks>
/// A descriptor that is added must be removed before it is closed: what is watched is the open file, which lives on while anybody else has
/// it open. Source: epoll(7).
/// </remarks>
public sealed unsafe class Epoll : IDisposable
{
    private const int EINTR = 4, MostAtOnce = 64;
    private readonly SafeFileHandle _epoll;

    private Epoll(SafeFileHandle epoll) => _epoll = epoll;

    /// <summary>Size of <c>struct epoll_event</c> here: it is packed on x86-64, and has its natural layout everywhere else.</summary>
    public static int EventSize { get; } = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    /// <summary>Where <c>data</c> lies in it.</summary>
    public static int DataOffset { get; } = EventSize - sizeof(ulong);

    /// <summary>Creates one that watches nothing.</summary>
    /// <returns>It; null if the process has no descriptor left.</returns>
    public static Epoll? Create()
    {
        var epoll = Libc.epoll_create1(Libc.EPOLL_CLOEXEC);
        if (!epoll.IsInvalid)
            return new(epoll);
        epoll.Dispose();
        return null;
    }

    /// <summary>Watches a descriptor for being readable.</summary>
    /// <param name="descriptor">The descriptor; the caller keeps it open until it has removed it.</param>
    /// <param name="data">What <see cref="Wait"/> will say.</param>
    /// <returns>0, or the errno.</returns>
    public int Add(SafeFileHandle descriptor, ulong data)
    {
        var entry = stackalloc byte[EventSize];
        Unsafe.WriteUnaligned(entry, Libc.EPOLLIN);
        Unsafe.WriteUnaligned(entry + DataOffset, data);
        return Libc.epoll_ctl(_epoll, Libc.EPOLL_CTL_ADD, descriptor, entry) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>Stops watching a descriptor. A wait that has returned may have found it all the same.</summary>
    /// <param name="descriptor">A descriptor that was added.</param>
    /// <returns>0, or the errno.</returns>
    public int Remove(SafeFileHandle descriptor)
        => Libc.epoll_ctl(_epoll, Libc.EPOLL_CTL_DEL, descriptor, null) == 0 ? 0 : Marshal.GetLastPInvokeError();

    /// <summary>Waits until something is readable. Allocates nothing.</summary>
    /// <param name="ready">Receives what; takes turns where more is readable than fits.</param>
    /// <param name="timeout">In milliseconds; -1 for as long as it takes.</param>
    /// <returns>How many were found; 0 when the time is over.</returns>
    /// <exception cref="InvalidOperationException">The wait failed: this is disposed of, or no such thing.</exception>
    public int Wait(Span<EpollReady> ready, int timeout)
    {
        var most = Math.Min(ready.Length, MostAtOnce);
        var entries = stackalloc byte[MostAtOnce * EventSize];
        int found;
        while ((found = Libc.epoll_wait(_epoll, entries, most, timeout)) < 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != EINTR)
                throw new InvalidOperationException($"epoll_wait: errno {error}");
        }

        for (var i = 0; i < found; i++)
        {
            var entry = entries + (i * EventSize);
            ready[i] = new(Unsafe.ReadUnaligned<ulong>(entry + DataOffset), Unsafe.ReadUnaligned<uint>(entry));
        }

        return found;
    }

    /// <inheritdoc/>
    public void Dispose() => _epoll.Dispose();
}
