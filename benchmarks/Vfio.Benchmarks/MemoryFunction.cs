using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Benchmarks;

/// <summary>The cheapest function there can be: what is measured is the way to it.</summary>
public sealed class MemoryFunction : IPciFunction, IInterruptLines
{
    private readonly byte[] _config = new byte[4096];
    private readonly MemoryBar _bar = new();

    /// <summary>Creates the function: a header, PCI Express, one BAR.</summary>
    public MemoryFunction()
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_config, 0x11E81234);
        BinaryPrimitives.WriteUInt32LittleEndian(_config.AsSpan(4), 0x00100000);
        BinaryPrimitives.WriteUInt32LittleEndian(_config.AsSpan(8), 0xFF000001);
        _config[0x34] = 0x40;
        _config[0x40] = 0x10;
        _config[0x42] = 2;
    }

    /// <inheritdoc/>
    public PciAddress Address => new(0, 1, 0, 0);

    /// <inheritdoc/>
    public PciId Id => new(0x1234, 0x11E8, 0, 0, 0xFF0000, 1);

    /// <inheritdoc/>
    public string? Model => "memory";

    /// <inheritdoc/>
    public FunctionVirtualization Virtualization => FunctionVirtualization.Raw;

    /// <inheritdoc/>
    public PciAddress? PhysicalFunction => null;

    /// <inheritdoc/>
    public int VirtualFunctionIndex => -1;

    /// <inheritdoc/>
    public int ConfigSize => 4096;

    /// <inheritdoc/>
    public IInterruptLines Interrupts => this;

    /// <inheritdoc/>
    public IReadOnlyList<FunctionResetMethod> ResetMethods => [];

    /// <inheritdoc/>
    public bool DynamicMsix => false;

    /// <inheritdoc/>
    public bool IntxAsserted => false;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public uint ReadConfig(int offset, int width) => width switch
    {
        1 => _config[offset],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(_config.AsSpan(offset)),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(_config.AsSpan(offset)),
    };

    /// <inheritdoc/>
    public void WriteConfig(int offset, int width, uint value)
    {
        for (var i = 0; i < width; i++)
            _config[offset + i] = (byte)(value >> (8 * i));
    }

    /// <inheritdoc/>
    public IPciBar? Bar(int index) => index == 0 ? _bar : null;

    /// <inheritdoc/>
    public ValueTask<VfioResult> ResetAsync(FunctionResetMethod method, CancellationToken cancellationToken) => new(Errno.ENOTTY);

    /// <inheritdoc/>
    public void ConnectDma(IDmaSpace? dma)
    {
    }

    /// <inheritdoc/>
    public int Count(IrqIndex index) => 0;

    /// <inheritdoc/>
    public VfioResult<int> Enable(IrqIndex index, int vectors) => 0;

    /// <inheritdoc/>
    public void Disable(IrqIndex index)
    {
    }

    /// <inheritdoc/>
    public VfioResult SetTrigger(IrqIndex index, int vector, SafeFileHandle? eventFd) => Errno.EINVAL;

    /// <inheritdoc/>
    public void OnIntxAsserted(Action? asserted)
    {
    }

    private sealed unsafe class MemoryBar : IPciBar
    {
        private readonly SharedPage _page = new();

        public ulong Size => SharedPage.Size;

        public BarKind Kind => BarKind.Memory32;

        public RegionMapping? Mapping => _page.Mapping;

        public ulong Read(ulong offset, int width)
        {
            var register = (byte*)_page.Address + offset;
            return width switch
            {
                1 => Mmio.Read8(register),
                2 => Mmio.Read16(register),
                4 => Mmio.Read32(register),
                _ => Mmio.Read64(register),
            };
        }

        public void Write(ulong offset, int width, ulong value)
        {
            var register = (byte*)_page.Address + offset;
            if (width == 4)
                Mmio.Write32(register, (uint)value);
            else
                Mmio.Write64(register, value);
        }
    }
}
