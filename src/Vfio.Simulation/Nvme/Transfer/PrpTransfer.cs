using System.Runtime.InteropServices;
using Vfio.Native;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Pci;

namespace Vfio.Simulation.Nvme.Transfer;

/// <summary>
/// The host memory of one command: PRP entries gathered into contiguous ranges, then held for direct access, or copied where it cannot be.
/// Its arrays are reused from command to command. Used by the controller's thread alone.
/// </summary>
internal sealed unsafe class PrpTransfer : CommandData
{
    // One page more than the data fills, because the first may begin inside a page.
    private const int MaxRanges = (ControllerLimits.TransferBytes >> ControllerLimits.MinPageShift) + 1;
    private readonly FunctionDma _dma;
    private readonly ulong[] _list = new ulong[MaxRanges];
    private readonly ulong[] _iova = new ulong[MaxRanges];
    private readonly int[] _length = new int[MaxRanges];
    private readonly DmaSegment[] _segments = new DmaSegment[MaxRanges];
    private readonly iovec[] _vectors = GC.AllocateArray<iovec>(MaxRanges, pinned: true);
    private ulong _prp1;
    private ulong _prp2;
    private int _pageShift;
    private int _count;

    internal PrpTransfer(FunctionDma dma) => _dma = dma;

    /// <summary>The ranges as preadv and pwritev take them, while they are held; they may be changed on the way.</summary>
    internal iovec* Vectors => (iovec*)Marshal.UnsafeAddrOfPinnedArrayElement(_vectors, 0);

    internal int Count => _count;

    /// <summary>Takes the PRPs of a command, before its length is known.</summary>
    internal void Begin(in SubmissionEntry entry, int pageShift)
    {
        _prp1 = entry.Prp1;
        _prp2 = entry.Prp2;
        _pageShift = pageShift;
        _count = 0;
    }

    /// <summary>Gathers the ranges that hold the data.</summary>
    /// <param name="length">Bytes, at most <see cref="ControllerLimits.TransferBytes"/>.</param>
    internal NvmeStatus Gather(int length)
    {
        _count = 0;
        var page = 1ul << _pageShift;
        if ((_prp1 & 3) != 0)
            return NvmeStatus.InvalidPrpOffset;
        var first = (int)Math.Min((ulong)length, page - (_prp1 & (page - 1)));
        Add(_prp1, first);
        var left = length - first;
        if (left == 0)
            return NvmeStatus.Success;
        if ((ulong)left > page)
            return GatherLists(left, page);
        if ((_prp2 & (page - 1)) != 0)
            return NvmeStatus.InvalidPrpOffset;
        Add(_prp2, left);
        return NvmeStatus.Success;
    }

    /// <summary>Holds every range for direct access; to be released soon.</summary>
    /// <returns>False: some of them can only be copied, and none is held.</returns>
    internal bool TryHold(DmaAccess access)
    {
        for (var i = 0; i < _count; i++)
        {
            if (!_dma.TryAcquire(_iova[i], (ulong)_length[i], access, out _segments[i]))
            {
                Release(i);
                return false;
            }

            _vectors[i] = new() { iov_base = (void*)_segments[i].Address, iov_len = (nuint)_length[i] };
        }

        return true;
    }

    internal void Release() => Release(_count);

    /// <summary>Copies into the gathered ranges.</summary>
    internal NvmeStatus CopyOut(ReadOnlySpan<byte> source)
    {
        for (var i = 0; i < _count; i++)
        {
            if (!_dma.Write(_iova[i], source[.._length[i]]).IsSuccess)
                return NvmeStatus.DataTransferError;
            source = source[_length[i]..];
        }

        return NvmeStatus.Success;
    }

    /// <summary>Copies out of the gathered ranges.</summary>
    internal NvmeStatus CopyIn(Span<byte> destination)
    {
        for (var i = 0; i < _count; i++)
        {
            if (!_dma.Read(_iova[i], destination[.._length[i]]).IsSuccess)
                return NvmeStatus.DataTransferError;
            destination = destination[_length[i]..];
        }

        return NvmeStatus.Success;
    }

    internal override NvmeStatus Send(ReadOnlySpan<byte> source)
    {
        var status = Gather(source.Length);
        return status.IsSuccess ? CopyOut(source) : status;
    }

    internal override NvmeStatus Receive(Span<byte> destination)
    {
        var status = Gather(destination.Length);
        return status.IsSuccess ? CopyIn(destination) : status;
    }

    private NvmeStatus GatherLists(int left, ulong page)
    {
        var next = _prp2;
        if ((next & 7) != 0)
            return NvmeStatus.InvalidPrpOffset;
        while (true)
        {
            var entries = (int)((page - (next & (page - 1))) / sizeof(ulong));
            var pages = (int)(((ulong)left + page - 1) >> _pageShift);
            var last = pages <= entries;
            var list = _list.AsSpan(0, last ? pages : entries);
            if (!_dma.Read(next, MemoryMarshal.AsBytes(list)).IsSuccess)
                return NvmeStatus.DataTransferError;
            // A list that does not end here goes on where its last entry points.
            foreach (var entry in last ? list : list[..^1])
            {
                if ((entry & (page - 1)) != 0)
                    return NvmeStatus.InvalidPrpOffset;
                var bytes = (int)Math.Min((ulong)left, page);
                Add(entry, bytes);
                left -= bytes;
            }

            if (last)
                return NvmeStatus.Success;
            next = list[^1];
            if ((next & (page - 1)) != 0)
                return NvmeStatus.InvalidPrpOffset;
        }
    }

    private void Add(ulong iova, int length)
    {
        if (_count > 0 && _iova[_count - 1] + (ulong)_length[_count - 1] == iova)
        {
            _length[_count - 1] += length;
            return;
        }

        _iova[_count] = iova;
        _length[_count] = length;
        _count++;
    }

    private void Release(int count)
    {
        for (var i = 0; i < count; i++)
        {
            _segments[i].Dispose();
            _segments[i] = default;
        }
    }
}
