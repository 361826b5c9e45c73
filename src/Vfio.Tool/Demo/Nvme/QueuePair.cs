using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Tool.Demo.Nvme;

/// <summary>A submission and a completion queue in guest memory, one command at a time, its completion announced by an interrupt.</summary>
internal sealed class QueuePair(
    VfioDevice device, ulong capabilities, int id, LocalMemory memory, ulong submission, ulong completion, SafeFileHandle interrupt)
{
    public const int Entries = 32;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private int _tail;
    private int _head;
    private int _phase = 1;
    private ushort _commandId;

    /// <summary>Executes a command.</summary>
    /// <returns>The completion's DW0.</returns>
    /// <exception cref="VfioException">No completion came, or it holds an error.</exception>
    public uint Execute(byte[] command)
    {
        var slot = Bytes(submission + (ulong)(_tail * Command.Length), Command.Length);
        command.CopyTo(slot);
        BinaryPrimitives.WriteUInt16LittleEndian(slot[2..], ++_commandId);
        _tail = (_tail + 1) % Entries;
        Ring(completionQueue: false, _tail);

        var entry = Bytes(completion + (ulong)(_head * Command.CompletionLength), Command.CompletionLength);
        var deadline = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        while ((BinaryPrimitives.ReadUInt16LittleEndian(entry[14..]) & 1) != _phase)
        {
            if (!Wait(deadline))
                throw new VfioException(Errno.ETIMEDOUT, $"queue {id}: no completion within {Patience.TotalSeconds:0} s");
            EventFd.Consume(interrupt);
        }

        var status = BinaryPrimitives.ReadUInt16LittleEndian(entry[14..]) >> 1;
        var answered = BinaryPrimitives.ReadUInt16LittleEndian(entry[12..]);
        var result = BinaryPrimitives.ReadUInt32LittleEndian(entry);
        _head = (_head + 1) % Entries;
        if (_head == 0)
            _phase ^= 1;
        Ring(completionQueue: true, _head);
        if (answered != _commandId)
            throw new VfioException(Errno.EPROTO, $"queue {id}: completion of command {answered}, expected {_commandId}");
        return (status & 0x7FF) == 0
            ? result
            : throw new VfioException(Errno.EIO, $"opcode {command[0]:x2}h ended with status {status & 0x7FF:x3}h");
    }

    private Span<byte> Bytes(ulong iova, int length) => memory.Span.Slice((int)(iova - memory.Iova), length);

    private void Ring(bool completionQueue, int value)
    {
        Span<byte> doorbell = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteInt32LittleEndian(doorbell, value);
        var result = device.Write(RegionIndex.Bar0, Registers.Doorbell(capabilities, id, completionQueue), doorbell);
        if (!result.IsSuccess)
            throw new VfioException(result.Error, $"doorbell of queue {id}: {result.Error}");
    }

    private unsafe bool Wait(long deadline)
    {
        var left = deadline - Environment.TickCount64;
        if (left <= 0)
            return false;
        var held = false;
        try
        {
            interrupt.DangerousAddRef(ref held);
            var entry = new pollfd { fd = (int)interrupt.DangerousGetHandle(), events = Libc.POLLIN };

            // Ready, interrupted or timed out: the caller looks at the phase bit and the clock again.
            _ = Libc.poll(&entry, 1, (int)left);
            return true;
        }
        finally
        {
            if (held)
                interrupt.DangerousRelease();
        }
    }
}
