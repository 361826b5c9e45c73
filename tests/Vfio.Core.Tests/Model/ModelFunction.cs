using System.Buffers.Binary;
using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Model;

/// <summary>
/// Hardware for the configuration model: registers of which some bits are writable and some are cleared by writing 1, a VPD store behind
/// its two registers, and nothing else. A copy of it answers as the original does.
/// </summary>
internal sealed class ModelFunction : IPciFunction
{
    public ModelFunction(int size)
    {
        Registers = new byte[size];
        Writable = new byte[size];
        ClearedByOne = new byte[size];
    }

    public byte[] Registers { get; private init; }

    /// <summary>The bits that a write changes.</summary>
    public byte[] Writable { get; private init; }

    /// <summary>The bits that a written 1 clears.</summary>
    public byte[] ClearedByOne { get; private init; }

    /// <summary>Where the VPD capability is; 0 if there is none.</summary>
    public int VpdAt { get; set; }

    public byte[] VpdStore { get; set; } = [];

    public IPciBar?[] Bars { get; init; } = new IPciBar?[7];

    public ScriptedLines Lines { get; init; } = new();

    public int Resets { get; private set; }

    public PciAddress Address => new(0, 1, 0, 0);

    public PciId Id { get; init; } = new(0x1234, 0x11E8, 0, 0, 0xFF0000, 1);

    public string? Model => null;

    public FunctionVirtualization Virtualization => FunctionVirtualization.Raw;

    public PciAddress? PhysicalFunction => VirtualFunctionIndex < 0 ? null : new PciAddress(0, 1, 0, 1);

    public int VirtualFunctionIndex { get; init; } = -1;

    public int ConfigSize => Registers.Length;

    public IInterruptLines Interrupts => Lines;

    public IReadOnlyList<FunctionResetMethod> ResetMethods { get; } = [FunctionResetMethod.DeviceSpecific];

    public ModelFunction Copy() => new(ConfigSize)
    {
        Registers = [.. Registers],
        Writable = Writable,
        ClearedByOne = ClearedByOne,
        VpdAt = VpdAt,
        VpdStore = [.. VpdStore],
        Bars = Bars,
        Id = Id,
        VirtualFunctionIndex = VirtualFunctionIndex,
    };

    public uint ReadConfig(int offset, int width)
    {
        Check(offset, width);
        var value = 0u;
        for (var i = 0; i < width; i++)
            value |= (uint)Registers[offset + i] << (8 * i);
        return value;
    }

    public void WriteConfig(int offset, int width, uint value)
    {
        Check(offset, width);
        for (var i = 0; i < width; i++)
        {
            var written = (byte)(value >> (8 * i));
            ref var register = ref Registers[offset + i];
            var kept = (register & ~Writable[offset + i]) | (written & Writable[offset + i]);
            register = (byte)(kept & ~(written & ClearedByOne[offset + i]));
        }

        if (VpdAt != 0 && offset <= VpdAt + 3 && offset + width > VpdAt + 3)
            TransferVpd();
    }

    public IPciBar? Bar(int index) => Bars.ElementAtOrDefault(index);

    public ValueTask<VfioResult> ResetAsync(FunctionResetMethod method, CancellationToken cancellationToken)
    {
        Resets++;
        return ValueTask.FromResult(VfioResult.Success);
    }

    public void ConnectDma(IDmaSpace? dma)
    {
    }

    /// <summary>What the reset of a device whose reset nobody saw leaves: no BARs, nothing enabled.</summary>
    public void ForgetBars()
    {
        Registers.AsSpan(0x10, 24).Clear();
        Registers.AsSpan(0x30, 4).Clear();
        Registers[4] &= 0xFC;
    }

    private void TransferVpd()
    {
        var address = BinaryPrimitives.ReadUInt16LittleEndian(Registers.AsSpan(VpdAt + 2));
        var at = VpdStore.AsSpan(address & 0x7FFC, 4);
        var data = Registers.AsSpan(VpdAt + 4, 4);
        if ((address & 0x8000) != 0)
            data.CopyTo(at);
        else
            at.CopyTo(data);
        Registers[VpdAt + 3] ^= 0x80;
    }

    private void Check(int offset, int width)
    {
        if (width is not (1 or 2 or 4) || offset % width != 0 || offset < 0 || offset + width > Registers.Length)
            throw new InvalidOperationException($"a {width} byte access at {offset:x}");
    }
}
