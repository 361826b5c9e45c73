using Vfio.Core;
using Vfio.Simulation.Pci;

namespace Vfio.Lab.Qtest;

/// <summary>The matrix device as a PCI function: PM, PCI Express, MSI-X, a BAR of registers and a BAR of memory.</summary>
internal sealed class MatrixFunction : IDisposable
{
    internal const ushort Vendor = 0x1234, Identity = 0x0F10;
    private const uint MsixTable = 0x2000, MsixPending = 0x3000;

    /// <param name="mapped">Whether two pages of BAR 2 may be mapped.</param>
    internal MatrixFunction(bool mapped)
    {
        Device = new(mapped);
        var bars = new Dictionary<int, SimulatedBar>
        {
            [MatrixDevice.RegisterBar] = new(MatrixDevice.RegisterBar, BarKind.Memory64, MatrixDevice.RegisterBarSize),
            [MatrixDevice.MemoryBar] = new(MatrixDevice.MemoryBar, BarKind.Memory32, MatrixDevice.MemoryBarSize),
        };
        var id = new PciId(Vendor, Identity, Vendor, 1, 0xFF0000, 1);
        var builder = ConfigSpaceBuilder.Physical(id, interruptPin: false);
        foreach (var (index, bar) in bars)
            builder.Bar(index, bar);
        var power = builder.Add(Capabilities.PowerManagement.Describe(resets: false));
        var express = builder.Add(Capabilities.Express.Describe());
        var msix = builder.Add(Capabilities.Msix.Describe(MatrixDevice.Vectors, MatrixDevice.RegisterBar, MsixTable, MsixPending));
        var errors = builder.Add(Capabilities.ErrorReporting.Describe());
        MsixCapability = msix;
        var config = builder.Build();
        var interrupts = new FunctionInterrupts(config, msix, MatrixDevice.Vectors, hasPin: false);
        Device.Interrupts = interrupts;
        Function = new(
            new()
            {
                Address = new(0, 2, 0, 0),
                Id = id,
                Model = "matrix",
                Config = config,
                Interrupts = interrupts,
                PowerManagement = power,
                Express = express,
                Errors = new(config, express, errors, physical: null),
                Bars = bars,
            },
            Device,
            Device.Dma);
    }

    internal MatrixDevice Device { get; }

    internal SimulatedFunction Function { get; }

    /// <summary>Where the MSI-X capability lies.</summary>
    internal int MsixCapability { get; }

    /// <summary>The function through the core and the generic driver.</summary>
    internal VfioDevice Open() => new VfioPciDevice(new VfioPciCore(Function));

    public void Dispose()
    {
        Function.Dispose();
        Device.Dispose();
    }
}
