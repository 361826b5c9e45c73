using System.Buffers.Binary;
using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Nvme.Admin;

/// <summary>The Error Information log: the newest errors, newest first. Used by the controller's thread alone.</summary>
internal sealed class ErrorLog
{
    internal const int Entries = 64;
    private readonly byte[] _ring = new byte[Entries * ErrorEntry.Bytes];

    /// <summary>Errors since power-on.</summary>
    internal ulong Count { get; private set; }

    /// <summary>Notes an error.</summary>
    /// <param name="queue">The submission queue; FFFFh if the error belongs to no command, and then so is the command id.</param>
    /// <param name="command">The command id.</param>
    /// <param name="status">Its status.</param>
    /// <param name="nsid">Its namespace.</param>
    internal void Add(ushort queue, ushort command, NvmeStatus status, uint nsid)
    {
        var entry = _ring.AsSpan((int)(Count % Entries) * ErrorEntry.Bytes, ErrorEntry.Bytes);
        Count++;
        entry.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(entry[ErrorEntry.ErrorCount..], Count);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[ErrorEntry.SubmissionQueueId..], queue);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[ErrorEntry.CommandId..], command);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[ErrorEntry.StatusField..], (ushort)(status.Value << 1));
        BinaryPrimitives.WriteUInt16LittleEndian(entry[ErrorEntry.ParameterLocation..], 0xFFFF);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[ErrorEntry.NamespaceId..], nsid);
    }

    internal void CopyTo(Span<byte> page)
    {
        for (var i = 0; i < Entries && (ulong)i < Count; i++)
        {
            var at = (int)((Count - 1 - (ulong)i) % Entries) * ErrorEntry.Bytes;
            _ring.AsSpan(at, ErrorEntry.Bytes).CopyTo(page[(i * ErrorEntry.Bytes)..]);
        }
    }
}
