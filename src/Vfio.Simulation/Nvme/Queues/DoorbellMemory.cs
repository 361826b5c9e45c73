using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Nvme.Queues;

/// <summary>
/// The doorbells of a controller as memory: front ends (or, mapped, the client itself) store values, the controller's thread looks at them.
/// Thread-safe.
/// </summary>
internal sealed unsafe class DoorbellMemory
{
    internal const int Count = BarLayout.DoorbellBytes / sizeof(uint);
    private const int Size = BarLayout.Doorbells + BarLayout.DoorbellBytes;
    private readonly SafeFileHandle? _file;
    private readonly uint[]? _memory;
    private readonly bool[] _live = new bool[Count];
    private readonly byte* _base;
    private int _stray = -1;

    /// <param name="mappable">Whether clients are to map the page.</param>
    internal DoorbellMemory(bool mappable)
    {
        if (!mappable)
        {
            _memory = GC.AllocateArray<uint>(Size / sizeof(uint), pinned: true);
            _base = (byte*)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(_memory, 0);
            return;
        }

        _file = Libc.memfd_create("nvme-doorbells", Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING);
        // Sealed, so that no client can shorten it under us.
        const int Seals = Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW | Libc.F_SEAL_SEAL;
        if (_file.IsInvalid || Libc.ftruncate(_file, Size) != 0 || Libc.fcntl(_file, Libc.F_ADD_SEALS, Seals) != 0)
            throw VfioException.FromLibc("memory for doorbells");
        var address = Libc.mmap(null, Size, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, _file, 0);
        if (address == Libc.MAP_FAILED)
            throw VfioException.FromLibc("mapping doorbells");
        _base = (byte*)address;
        Mapping = new()
        {
            File = _file,
            Areas = [new(BarLayout.Doorbells, BarLayout.DoorbellBytes)],
            Address = (nint)address,
        };
    }

    /// <summary>A front end may ring until it lets go of the function, so the mapping lasts as long as anyone can reach it.</summary>
    ~DoorbellMemory()
    {
        if (_file is not null && _base != null)
            _ = Libc.munmap(_base, Size);
    }

    /// <summary>How clients map the page; null if they are not to.</summary>
    internal RegionMapping? Mapping { get; }

    internal uint Read(int doorbell) => Volatile.Read(ref Slot(doorbell));

    /// <summary>A front end's write; noted, and looked at by the controller's thread.</summary>
    internal void Ring(int doorbell, uint value)
    {
        if (Volatile.Read(ref _live[doorbell]))
            Volatile.Write(ref Slot(doorbell), value);
        else
            Volatile.Write(ref _stray, doorbell);
    }

    /// <summary>The last doorbell written that belongs to no queue; -1 for none since the last call.</summary>
    internal int TakeStray() => Volatile.Read(ref _stray) < 0 ? -1 : Interlocked.Exchange(ref _stray, -1);

    /// <summary>A queue comes into being: its doorbell starts at 0.</summary>
    internal void Open(int doorbell)
    {
        Volatile.Write(ref Slot(doorbell), 0);
        Volatile.Write(ref _live[doorbell], true);
    }

    /// <summary>A queue is gone.</summary>
    internal void Close(int doorbell)
    {
        Volatile.Write(ref _live[doorbell], false);
        Volatile.Write(ref Slot(doorbell), 0);
    }

    private ref uint Slot(int doorbell)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)doorbell, (uint)Count);
        return ref *(uint*)(_base + BarLayout.Doorbells + (doorbell * sizeof(uint)));
    }
}
