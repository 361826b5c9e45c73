using System.Buffers.Binary;
using Vfio.Core.Reset;
using static Vfio.Core.Config.HeaderRegisters;

namespace Vfio.Core.Config;

/// <summary>
/// What a client reads and writes as configuration space: the kernel's <c>vfio_pci_config_rw</c>. Allocates nothing. Thread-safe.
/// </summary>
/// <remarks>
/// A request of any offset and length is cut into naturally aligned pieces of 4, 2 and 1 bytes, each inside one dword and one capability.
/// </remarks>
internal sealed class VirtualConfig(IPciFunction function, ConfigMap map, ShadowConfig shadow, AccessGate gate)
{
    private readonly bool _memoryAlwaysOn = function.VirtualFunctionIndex >= 0;

    public VfioResult<int> Read(ulong offset, Span<byte> destination)
    {
        if (!IsInside(offset, destination.Length))
            return Errno.EFAULT;
        for (int at = (int)offset, left = destination.Length; left > 0;)
        {
            var width = PieceAt(at, left);
            Store(destination[^left..], width, ReadPiece(at, width));
            at += width;
            left -= width;
        }

        return destination.Length;
    }

    public VfioResult<int> Write(ulong offset, ReadOnlySpan<byte> source)
    {
        if (!IsInside(offset, source.Length))
            return Errno.EFAULT;
        for (int at = (int)offset, left = source.Length; left > 0;)
        {
            var width = PieceAt(at, left);
            var value = Load(source[^left..], width);
            var block = map.BlockAt(at);
            if (block.Trap is { } trap)
                trap.Write(at, width, value);
            else
                WriteDefault(block, at, width, value);
            at += width;
            left -= width;
        }

        return source.Length;
    }

    /// <summary>A write as the masks have it, and nothing more: what a trap does before or after its own work.</summary>
    public void WriteDefault(ConfigBlock block, int at, int width, uint value)
    {
        if (block.RawWrites)
        {
            gate.EnterShared();
            try
            {
                if (!gate.IsOver)
                    function.WriteConfig(at, width, value);
            }
            finally
            {
                gate.ExitShared();
            }

            return;
        }

        var writable = block.WritableMask(at, width);
        var mine = block.VirtualMask(at, width) & writable;
        if (mine != 0)
        {
            lock (shadow.Changing)
                shadow.Merge(at, width, mine, value);
        }

        if ((writable & ~mine) != 0)
            MergeHardware(at, width, writable & ~mine, value);
    }

    /// <summary>Replaces bits of a hardware register.</summary>
    public void MergeHardware(int at, int width, uint mask, uint value)
    {
        gate.EnterShared();
        try
        {
            if (gate.IsOver)
                return;
            // Two writers of one register must not lose each other's bits.
            lock (shadow.Changing)
                function.WriteConfig(at, width, (function.ReadConfig(at, width) & ~mask) | (value & mask));
        }
        finally
        {
            gate.ExitShared();
        }
    }

    /// <summary>Reads a hardware register, when no reset is under way; all ones once the device is closed.</summary>
    public uint ReadHardware(int at, int width)
    {
        gate.EnterShared();
        try
        {
            return gate.IsOver ? uint.MaxValue >> (32 - (8 * width)) : function.ReadConfig(at, width);
        }
        finally
        {
            gate.ExitShared();
        }
    }

    private uint ReadPiece(int at, int width)
    {
        var mask = map.BlockAt(at).VirtualMask(at, width);
        var all = uint.MaxValue >> (32 - (8 * width));
        if (mask == all)
            return shadow.Read(at, width);
        var value = ReadHardware(at, width);
        if (mask != 0)
            value = (value & ~mask) | (shadow.Read(at, width) & mask);
        // A VF has no memory enable of its own, but its driver looks for one.
        if (at == Command && _memoryAlwaysOn)
            value |= shadow.Read(Command, 2) & CommandMemory;
        return value;
    }

    private bool IsInside(ulong offset, int count) => offset < (ulong)map.Size && (ulong)count <= (ulong)map.Size - offset;

    private int PieceAt(int at, int left)
    {
        var run = 1;
        while (run < left && (at + run) % 4 != 0 && map.SameBlock(at, at + run))
            run++;
        return run >= 4 ? 4 : run >= 2 && at % 2 == 0 ? 2 : 1;
    }

    private static uint Load(ReadOnlySpan<byte> source, int width) => width switch
    {
        1 => source[0],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(source),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(source),
    };

    private static void Store(Span<byte> destination, int width, uint value)
    {
        switch (width)
        {
            case 1:
                destination[0] = (byte)value;
                break;
            case 2:
                BinaryPrimitives.WriteUInt16LittleEndian(destination, (ushort)value);
                break;
            default:
                BinaryPrimitives.WriteUInt32LittleEndian(destination, value);
                break;
        }
    }
}
