using System.Buffers.Binary;

namespace Vfio.WireVectors.Setups;

/// <summary>The hardware of a set-up: configuration space with writable bits, and BARs of memory. Raw; the core virtualizes it.</summary>
internal sealed class SetupFunction : IPciFunction, IDisposable
{
    private const int CommandBits = 0x0547, StatusAndCapabilities = 0x06, CapabilityPointer = 0x34, InterruptPin = 0x3D, ExtendedStart = 0x100;
    private const ushort Vendor = 0xDEAD, Device = 0xBEEF;
    private readonly Setup _setup;
    private readonly Lock _lock = new();
    private readonly byte[] _pristine, _config, _writable;
    private readonly SetupBar?[] _bars = new SetupBar?[RegionIndex.FixedCount];

    public SetupFunction(Setup setup)
    {
        _setup = setup;
        ConfigSize = setup.IsExpress ? 4096 : 256;
        (_pristine, _writable) = (new byte[ConfigSize], new byte[ConfigSize]);
        BinaryPrimitives.WriteUInt16LittleEndian(_pristine, Vendor);
        BinaryPrimitives.WriteUInt16LittleEndian(_pristine.AsSpan(2), Device);
        BinaryPrimitives.WriteUInt16LittleEndian(_writable.AsSpan(4), CommandBits);
        _pristine[InterruptPin] = (byte)(setup.HasIntx ? 1 : 0);
        foreach (var bar in setup.Bars)
            Add(bar);
        foreach (var capability in setup.Capabilities)
            Add(capability);
        _config = [.. _pristine];
        Lines = new(setup);
    }

    public PciAddress Address { get; } = new(0, 1, 0, 0);

    public PciId Id { get; } = new(Vendor, Device, 0, 0, 0, 0);

    public string? Model => _setup.Name;

    public FunctionVirtualization Virtualization => FunctionVirtualization.Raw;

    public PciAddress? PhysicalFunction => null;

    public int VirtualFunctionIndex => -1;

    public int ConfigSize { get; }

    public SetupLines Lines { get; }

    public IInterruptLines Interrupts => Lines;

    public IReadOnlyList<FunctionResetMethod> ResetMethods { get; } = [FunctionResetMethod.DeviceSpecific];

    public bool IsDmaMediated => _setup.HasDma;

    /// <summary>How often it has been reset.</summary>
    public int Resets { get; private set; }

    public uint ReadConfig(int offset, int width)
    {
        lock (_lock)
        {
            return width switch
            {
                1 => _config[offset],
                2 => BinaryPrimitives.ReadUInt16LittleEndian(_config.AsSpan(offset)),
                _ => BinaryPrimitives.ReadUInt32LittleEndian(_config.AsSpan(offset)),
            };
        }
    }

    public void WriteConfig(int offset, int width, uint value)
    {
        lock (_lock)
        {
            for (var i = 0; i < width; i++)
            {
                ref var at = ref _config[offset + i];
                at = (byte)((at & ~_writable[offset + i]) | ((byte)(value >> (8 * i)) & _writable[offset + i]));
            }
        }
    }

    public IPciBar? Bar(int index) => _bars[index];

    public ValueTask<VfioResult> ResetAsync(FunctionResetMethod method, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _pristine.CopyTo(_config, 0);
            Resets++;
        }

        return ValueTask.FromResult(VfioResult.Success);
    }

    public void ConnectDma(IDmaSpace? dma)
    {
    }

    public void Dispose()
    {
        foreach (var bar in _bars)
            bar?.Dispose();
    }

    private void Add(BarSpec bar)
    {
        _bars[bar.Index] = new(bar);
        var register = 0x10 + (4 * bar.Index);
        _pristine[register] = bar.Kind switch
        {
            BarKind.Io => 0x01,
            BarKind.Memory64 => (byte)(bar.IsPrefetchable ? 0x0C : 0x04),
            _ => (byte)(bar.IsPrefetchable ? 0x08 : 0),
        };
        var mask = ~(bar.Size - 1);
        BinaryPrimitives.WriteUInt32LittleEndian(_writable.AsSpan(register), (uint)mask);
        if (bar.Kind == BarKind.Memory64)
            BinaryPrimitives.WriteUInt32LittleEndian(_writable.AsSpan(register + 4), (uint)(mask >> 32));
    }

    private void Add(CapabilitySpec capability)
    {
        if (capability.Offset < ExtendedStart && _pristine[CapabilityPointer] == 0)
        {
            _pristine[CapabilityPointer] = (byte)capability.Offset;
            _pristine[StatusAndCapabilities] |= 0x10;
        }

        capability.Bytes.CopyTo(_pristine, capability.Offset);
        capability.Writable.CopyTo(_writable, capability.Offset);
    }
}
