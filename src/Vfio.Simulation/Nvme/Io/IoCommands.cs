using System.Runtime.InteropServices;
using Vfio.Native;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Nvme.Storage;
using Vfio.Simulation.Nvme.Transfer;

namespace Vfio.Simulation.Nvme.Io;

/// <summary>
/// The NVM command set. Used by the controller's thread alone; allocates nothing but one buffer, once. Source: NVM Express Base
/// Specification 1.4, 6.
/// </summary>
internal sealed unsafe class IoCommands(PrpTransfer transfer, HealthInformation health, NamespaceTable namespaces)
{
    private const uint ForceUnitAccess = 1 << 30;
    private const uint AllNamespaces = uint.MaxValue;
    private byte[]? _bounce;

    internal NvmeStatus Execute(in SubmissionEntry entry, int pageShift)
    {
        if (entry.HasUnsupportedFlags)
            return NvmeStatus.InvalidField;
        var opcode = (IoOpcode)entry.Opcode;
        if (opcode == IoOpcode.Flush && entry.NamespaceId == AllNamespaces)
            return FlushAll();
        if (Effects(opcode) == 0)
            return NvmeStatus.InvalidOpcode;
        if (namespaces.Find(entry.NamespaceId) is not { } target)
            return NvmeStatus.InvalidNamespace;
        transfer.Begin(entry, pageShift);
        return opcode switch
        {
            IoOpcode.Flush => Written(target.Storage.Flush()),
            IoOpcode.DatasetManagement => DatasetManagement(entry, target),
            _ => Blocks(opcode, entry, target),
        };
    }

    /// <summary>Whether every write is to be durable before it completes: the host has turned the volatile write cache off.</summary>
    internal bool WriteThrough { get; set; }

    /// <summary>Whether a command only moves data: a read, or a write that need not be durable.</summary>
    internal static bool IsTransfer(in SubmissionEntry entry)
        => (IoOpcode)entry.Opcode is IoOpcode.Read or IoOpcode.Write && (entry.Cdw12 & ForceUnitAccess) == 0;

    /// <summary>An opcode's entry in the log of supported commands; 0 for one that is not supported.</summary>
    internal static uint Effects(IoOpcode opcode) => opcode switch
    {
        IoOpcode.Write or IoOpcode.WriteZeroes or IoOpcode.DatasetManagement => EffectsLog.Supported | EffectsLog.ContentChange,
        IoOpcode.Flush or IoOpcode.Read or IoOpcode.Compare or IoOpcode.Verify => EffectsLog.Supported,
        _ => 0,
    };

    /// <summary>Everything written through this controller becomes durable.</summary>
    internal NvmeStatus FlushAll()
    {
        foreach (var target in namespaces.Attached)
        {
            var error = target?.Storage.Flush() ?? Errno.None;
            if (error != Errno.None)
                return Written(error);
        }

        return NvmeStatus.Success;
    }

    private Span<byte> Bounce(int length)
        => (_bounce ??= GC.AllocateUninitializedArray<byte>(ControllerLimits.TransferBytes)).AsSpan(0, length);

    private NvmeStatus Blocks(IoOpcode opcode, in SubmissionEntry entry, NvmeNamespace target)
    {
        var block = entry.Cdw10 | ((ulong)entry.Cdw11 << 32);
        var count = (entry.Cdw12 & 0xFFFF) + 1;
        if (!target.Holds(block, count))
            return NvmeStatus.LbaOutOfRange;
        var offset = (long)(block << target.BlockShift);
        var bytes = (long)count << target.BlockShift;
        if (opcode == IoOpcode.WriteZeroes)
            return Written(target.Storage.Zero(offset, bytes));
        if (opcode == IoOpcode.Verify)
            return Verify(target, offset, bytes);
        if (bytes > ControllerLimits.TransferBytes)
            return NvmeStatus.InvalidField;
        var status = transfer.Gather((int)bytes);
        if (!status.IsSuccess)
            return status;
        switch (opcode)
        {
            case IoOpcode.Read:
                health.CountRead(bytes);
                return Read(target, offset, (int)bytes);
            case IoOpcode.Compare:
                return Compare(target, offset, (int)bytes);
            default:
                health.CountWrite(bytes);
                status = Write(target, offset, (int)bytes);
                var durable = WriteThrough || (entry.Cdw12 & ForceUnitAccess) != 0;
                return status.IsSuccess && durable ? Written(target.Storage.Flush()) : status;
        }
    }

    private NvmeStatus Read(NvmeNamespace target, long offset, int bytes)
    {
        if (transfer.TryHold(DmaAccess.Write))
        {
            var error = target.Storage.Read(transfer.Vectors, transfer.Count, offset);
            transfer.Release();
            return ReadBack(error);
        }

        var bounce = Bounce(bytes);
        var status = ReadBack(target.Storage.Read(bounce, offset));
        return status.IsSuccess ? transfer.CopyOut(bounce) : status;
    }

    private NvmeStatus Write(NvmeNamespace target, long offset, int bytes)
    {
        if (transfer.TryHold(DmaAccess.Read))
        {
            var error = target.Storage.Write(transfer.Vectors, transfer.Count, offset);
            transfer.Release();
            return Written(error);
        }

        var bounce = Bounce(bytes);
        var status = transfer.CopyIn(bounce);
        return status.IsSuccess ? Written(target.Storage.Write(bounce, offset)) : status;
    }

    private NvmeStatus Compare(NvmeNamespace target, long offset, int bytes)
    {
        var bounce = Bounce(bytes);
        var status = transfer.CopyIn(bounce);
        if (!status.IsSuccess)
            return status;
        Span<byte> stored = stackalloc byte[4096];
        while (!bounce.IsEmpty)
        {
            stored = stored[..Math.Min(stored.Length, bounce.Length)];
            status = ReadBack(target.Storage.Read(stored, offset));
            if (!status.IsSuccess)
                return status;
            if (!stored.SequenceEqual(bounce[..stored.Length]))
                return NvmeStatus.CompareFailure;
            bounce = bounce[stored.Length..];
            offset += stored.Length;
        }

        return NvmeStatus.Success;
    }

    // There is no limit on how much one command verifies, so it goes piece by piece.
    private NvmeStatus Verify(NvmeNamespace target, long offset, long bytes)
    {
        while (bytes > 0)
        {
            var piece = (int)Math.Min(bytes, ControllerLimits.TransferBytes);
            var status = ReadBack(target.Storage.Read(Bounce(piece), offset));
            if (!status.IsSuccess)
                return status;
            offset += piece;
            bytes -= piece;
        }

        return NvmeStatus.Success;
    }

    private NvmeStatus DatasetManagement(in SubmissionEntry entry, NvmeNamespace target)
    {
        const uint Deallocate = 1 << 2;
        Span<DatasetRange> ranges = stackalloc DatasetRange[256];
        ranges = ranges[..(int)((entry.Cdw10 & 0xFF) + 1)];
        var status = transfer.Receive(MemoryMarshal.AsBytes(ranges));
        if (!status.IsSuccess)
            return status;
        foreach (var range in ranges)
        {
            if (!target.Holds(range.Block, range.Count))
                return NvmeStatus.LbaOutOfRange;
        }

        // The other attributes are hints.
        if ((entry.Cdw11 & Deallocate) == 0)
            return NvmeStatus.Success;
        foreach (var range in ranges)
        {
            if (range.Count == 0)
                continue;
            status = Written(target.Storage.Zero((long)(range.Block << target.BlockShift), (long)range.Count << target.BlockShift));
            if (!status.IsSuccess)
                return status;
        }

        return NvmeStatus.Success;
    }

    // EFAULT: the host's memory went away under the transfer, and the medium is not at fault.
    private NvmeStatus ReadBack(Errno error) => error switch
    {
        Errno.None => NvmeStatus.Success,
        Errno.EFAULT => NvmeStatus.DataTransferError,
        _ => Faulty(NvmeStatus.UnrecoveredReadError),
    };

    private NvmeStatus Written(Errno error) => error switch
    {
        Errno.None => NvmeStatus.Success,
        Errno.EFAULT => NvmeStatus.DataTransferError,
        Errno.ENOSPC => NvmeStatus.CapacityExceeded,
        _ => Faulty(NvmeStatus.WriteFault),
    };

    private NvmeStatus Faulty(NvmeStatus status)
    {
        health.CountMediaError();
        return status;
    }

    /// <summary>A range of a dataset management command. Source: NVM Express Base Specification 1.4, figure 362.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 16)]
    private struct DatasetRange
    {
        [FieldOffset(4)]
        internal uint Count;

        [FieldOffset(8)]
        internal ulong Block;
    }
}
