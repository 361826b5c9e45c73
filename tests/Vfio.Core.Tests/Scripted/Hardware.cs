using System.Buffers.Binary;

namespace Vfio.Core.Tests.Scripted;

/// <summary>Builds configuration spaces as hardware has them.</summary>
internal sealed class Hardware
{
    private int _nextStandard = 0x40;
    private int _lastStandard = 0x34;
    private int _nextExtended = 0x100;
    private int _lastExtended = -1;

    public Hardware(int size = 4096)
    {
        Bytes = new byte[size];
        Set16(0x00, 0x1234);
        Set16(0x02, 0x11E8);
        Set16(0x04, 0x0007);
        Set32(0x08, 0xFF000001);
        Set32(0x2C, 0x5678_9ABC);
        Bytes[0x3D] = 1;
    }

    public byte[] Bytes { get; }

    /// <summary>Adds a standard capability behind the last one.</summary>
    /// <returns>Where it starts.</returns>
    public int Standard(byte id, int length, params (int Offset, int Width, uint Value)[] registers)
    {
        var at = _nextStandard;
        Bytes[6] |= 0x10;
        Bytes[_lastStandard] = (byte)at;
        _lastStandard = at + 1;
        Bytes[at] = id;
        Put(at, registers);
        _nextStandard = (at + length + 3) & ~3;
        return at;
    }

    /// <summary>Adds an extended capability behind the last one.</summary>
    /// <returns>Where it starts.</returns>
    public int Extended(ushort id, int length, params (int Offset, int Width, uint Value)[] registers)
    {
        var at = _nextExtended;
        if (_lastExtended >= 0)
            Set32(_lastExtended, Get32(_lastExtended) | ((uint)at << 20));
        Set32(at, id | 0x10000u);
        _lastExtended = at;
        Put(at, registers);
        _nextExtended = (at + length + 3) & ~3;
        return at;
    }

    public int Express(bool flr = true, uint flags = 2)
        => Standard(0x10, 0x34, (2, 2, flags), (4, 4, flr ? 0x10008001u : 0x8001), (8, 2, 0x2030));

    public int PowerManagement(uint control = 0, uint capabilities = 0xFE03) => Standard(0x01, 8, (2, 2, capabilities), (4, 2, control));

    public int Msi(uint flags) => Standard(0x05, 24, (2, 2, flags));

    public int Msix(int vectors, uint table, uint pending)
        => Standard(0x11, 12, (2, 2, (uint)vectors - 1), (4, 4, table), (8, 4, pending));

    public void Set16(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Bytes.AsSpan(offset), value);

    public void Set32(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Bytes.AsSpan(offset), value);

    public uint Get32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(Bytes.AsSpan(offset));

    /// <summary>Everything can be written but what no hardware lets be written: identities, header type, capability headers.</summary>
    public static byte[] WritableOf(byte[] config)
    {
        var writable = new byte[config.Length];
        writable.AsSpan().Fill(0xFF);
        foreach (var (start, length) in new[] { (0, 4), (6, 2), (8, 4), (0x0E, 1), (0x2C, 4), (0x34, 1), (0x3D, 1) })
            writable.AsSpan(start, length).Clear();
        return writable;
    }

    private void Put(int at, (int Offset, int Width, uint Value)[] registers)
    {
        foreach (var (offset, width, value) in registers)
        {
            for (var i = 0; i < width; i++)
                Bytes[at + offset + i] = (byte)(value >> (8 * i));
        }
    }
}
