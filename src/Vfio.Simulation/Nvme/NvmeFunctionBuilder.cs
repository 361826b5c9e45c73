using Microsoft.Extensions.Logging;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Pci;

namespace Vfio.Simulation.Nvme;

/// <summary>Builds the functions of a subsystem: configuration space, BAR, interrupts and the controller behind them.</summary>
internal sealed class NvmeFunctionBuilder(NvmeSubsystem subsystem, PciId identity, bool mappedDoorbells, ILogger logger)
{
    /// <summary>The PF with the primary controller.</summary>
    internal (SimulatedFunction Function, NvmeController Controller, SingleRootIov? Iov) Physical(
        PciAddress address, NvmeDefinition definition, BarLayout virtualLayout)
    {
        var interruptPool = subsystem.Resources.Interrupts;
        var vectors = Math.Min(interruptPool.Private + interruptPool.Flexible, (int)Capabilities.Msix.SizeMask + 1);
        var layout = new BarLayout(vectors);
        var bar = new SimulatedBar(BarLayout.Index, BarKind.Memory64, layout.Size);
        var space = ConfigSpaceBuilder.Physical(identity, interruptPin: true).Bar(BarLayout.Index, bar);
        var offsets = Standard(space, definition.Vectors, layout, Capabilities.Express.Describe(), powerManagementResets: true);
        var errors = space.Add(Capabilities.ErrorReporting.Describe());
        space.Add(Capabilities.SerialNumber.Describe(SerialNumber()));
        space.Add(Capabilities.AlternativeRouting.Describe());
        int? sriov = null;
        var functions = definition.VirtualFunctions;
        if (functions.Count > 0)
        {
            sriov = space.Add(Capabilities.SingleRoot.Describe(
                (ushort)functions.Count, (ushort)functions.Offset, (ushort)functions.Stride, identity.Device,
                new SimulatedBar(BarLayout.Index, BarKind.Memory64, virtualLayout.Size)));
        }

        var config = space.Build();
        var iov = sriov is { } at ? new SingleRootIov(address, config, at) : null;
        var interrupts = new FunctionInterrupts(config, offsets.Msix, vectors, hasPin: true);
        interrupts.Resize(definition.Vectors);
        var queues = subsystem.Resources.Queues;
        var (function, controller) = Assemble(
            new()
            {
                Address = address,
                Id = identity,
                Model = NvmeDefinition.Model,
                Config = config,
                Interrupts = interrupts,
                PowerManagement = offsets.PowerManagement,
                PowerManagementResets = true,
                Express = offsets.Express,
                Errors = new(config, offsets.Express, errors, physical: null),
                Bars = new Dictionary<int, SimulatedBar> { [BarLayout.Index] = bar },
            },
            layout, id: 0, Math.Min(queues.Private + queues.Flexible - 1, ControllerLimits.QueuePairs));
        controller.QueuePairs = definition.Queues;
        return (function, controller, iov);
    }

    /// <summary>A VF with a secondary controller.</summary>
    internal (SimulatedFunction Function, NvmeController Controller) Virtual(
        PciAddress address, VirtualFunctionDefinition definition, BarLayout layout, SimulatedFunction physical, SingleRootIov iov)
    {
        var bar = new SimulatedBar(BarLayout.Index, BarKind.Memory64, layout.Size);
        var space = ConfigSpaceBuilder.Virtual(identity);
        var offsets = Standard(space, definition.Vectors, layout, Capabilities.Express.DescribeVirtual(), powerManagementResets: false);
        var errors = space.Add(Capabilities.ErrorReporting.DescribeVirtual());
        space.Add(Capabilities.AlternativeRouting.Describe());
        var config = space.Build();
        return Assemble(
            new()
            {
                Address = address,
                Id = identity,
                Model = NvmeDefinition.Model,
                Owner = iov,
                VirtualFunctionIndex = definition.Index,
                Config = config,
                Interrupts = new(config, offsets.Msix, subsystem.Resources.Interrupts.SecondaryMax, hasPin: false),
                PowerManagement = offsets.PowerManagement,
                Express = offsets.Express,
                Errors = new(config, offsets.Express, errors, physical.Errors),
                Bars = new Dictionary<int, SimulatedBar> { [BarLayout.Index] = bar },
            },
            layout, (ushort)(definition.Index + 1), subsystem.Resources.Queues.SecondaryMax - 1);
    }

    private static (int PowerManagement, int Msix, int Express) Standard(
        ConfigSpaceBuilder space, int vectors, BarLayout layout, Capability express, bool powerManagementResets)
        => (space.Add(Capabilities.PowerManagement.Describe(powerManagementResets)),
            space.Add(Capabilities.Msix.Describe(vectors, BarLayout.Index, BarLayout.Table, (uint)layout.Pending)),
            space.Add(express));

    private (SimulatedFunction Function, NvmeController Controller) Assemble(
        FunctionDescription description, BarLayout layout, ushort id, int maxQueuePairs)
    {
        var dma = new FunctionDma();
        var controller = new NvmeController(new()
        {
            Subsystem = subsystem,
            Id = id,
            IsPrimary = id == 0,
            Layout = layout,
            Dma = dma,
            Interrupts = description.Interrupts,
            MaxQueuePairs = maxQueuePairs,
            MappedDoorbells = mappedDoorbells,
            Logger = logger,
        });
        return (new(description, controller, dma), controller);
    }

    // The same after every restart, and another for every subsystem.
    private ulong SerialNumber()
    {
        var hash = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(subsystem.Nqn));
        return BitConverter.ToUInt64(hash);
    }
}
