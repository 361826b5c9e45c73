using System.Runtime.InteropServices;
using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Tests.Guest;

/// <summary>A queue pair of the guest's driver, or a submission queue that completes on another pair.</summary>
internal sealed class GuestQueue
{
    private readonly GuestNvme _nvme;
    private readonly GuestQueue _completion;
    private readonly int _id;
    private readonly int _entries;
    private readonly int _vector;
    private int _tail;
    private int _head;
    private ushort _phase = 1;

    public GuestQueue(GuestNvme nvme, int id, int entries, int vector, GuestQueue? completion = null)
    {
        _nvme = nvme;
        _id = id;
        _entries = entries;
        _vector = vector;
        _completion = completion ?? this;
        SubmissionBase = nvme.Memory.Allocate(entries * SubmissionEntry.Bytes);
        CompletionBase = completion?.CompletionBase ?? nvme.Memory.Allocate(entries * CompletionEntry.Bytes);
        nvme.Memory.Span(SubmissionBase, entries * SubmissionEntry.Bytes).Clear();
        if (completion is null)
            nvme.Memory.Span(CompletionBase, entries * CompletionEntry.Bytes).Clear();
    }

    public ulong SubmissionBase { get; }

    public ulong CompletionBase { get; }

    public int CompletionId => _completion._id;

    public int Tail => _tail;

    public int Head => _head;

    /// <summary>How a doorbell is rung; null for the register.</summary>
    public Action<int, uint>? Doorbell { get; set; }

    /// <summary>Puts a command into the queue without telling the device.</summary>
    public void Push(in SubmissionEntry entry)
    {
        _nvme.Memory.At<SubmissionEntry>(SubmissionBase + (ulong)(_tail * SubmissionEntry.Bytes)) = entry;
        _tail = (_tail + 1) % _entries;
    }

    public void Ring() => Ring(BarLayout.SubmissionDoorbell(_id), (uint)_tail);

    public void RingHead() => Ring(BarLayout.CompletionDoorbell(_completion._id), (uint)_completion._head);

    public void Submit(in SubmissionEntry entry)
    {
        Push(entry);
        Ring();
    }

    /// <summary>Takes the next completion if there is one.</summary>
    public Completion? TryReap(bool ring = true)
    {
        var slot = CompletionBase + (ulong)(_head * CompletionEntry.Bytes);
        var dword3 = Volatile.Read(ref _nvme.Memory.At<uint>(slot + CompletionEntry.PhaseOffset));
        if (((dword3 >> 16) & 1) != _phase)
            return null;
        ref var entry = ref _nvme.Memory.At<CompletionEntry>(slot);
        var completion = new Completion(
            entry.CommandId, new NvmeStatus((ushort)(entry.StatusPhase >> 1)), entry.Dword0, entry.SubmissionId, entry.SubmissionHead);
        if (++_head == _entries)
        {
            _head = 0;
            _phase ^= 1;
        }

        if (ring)
            RingHead();
        return completion;
    }

    /// <summary>Waits for the next completion by its interrupt.</summary>
    public Completion Reap(bool ring = true)
    {
        while (true)
        {
            if (TryReap(ring) is { } completion)
                return completion;
            _nvme.WaitInterrupt(_vector);
        }
    }

    public Completion Run(in SubmissionEntry entry)
    {
        Submit(entry);
        var completion = _completion.Reap();
        Assert.Equal(entry.CommandId, completion.CommandId);
        return completion;
    }

    public void Ring(int doorbell, uint value)
    {
        if (Doorbell is { } ring)
            ring(doorbell, value);
        else
            _nvme.Bar.Write((ulong)(BarLayout.Doorbells + (doorbell * 4)), 4, value);
    }
}
