using Microsoft.Extensions.Logging;
using Vfio.Simulation.Driving;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Nvme.Storage;
using Vfio.Simulation.Pci;

namespace Vfio.Simulation.Nvme;

/// <summary>An NVMe subsystem as PCI functions: builds it from its definition and ties its parts together.</summary>
internal sealed class NvmeModel : SimulatedModel
{
    // 1234h belongs to no one that PCI-SIG knows, and is what emulators have always used. The id that QEMU's controller goes by would be a
    // lie, and makes Linux mistrust the identifiers of namespaces.
    private static readonly PciId Identity = new(0x1234, 0x4E56, 0x1234, 0x0001, 0x010802, 1);
    private readonly List<SimulatedFunction> _functions = [];
    private readonly NvmeSubsystem _subsystem;
    private readonly SingleRootIov? _iov;
    private readonly CommandChannel _channel;

    private NvmeModel(NvmeDefinition definition, StorageFolder storage, bool mappedDoorbells, ILogger logger)
    {
        _subsystem = Subsystem(definition);
        try
        {
            foreach (var target in definition.Namespaces.OrderBy(n => n.Id))
                AddNamespace(target, storage);
            var addresses = definition.Addresses().ToArray();
            var virtuals = Enumerable.Range(0, definition.VirtualFunctions.Count).Select(definition.VirtualFunction).ToArray();
            var virtualLayout = new BarLayout(virtuals.Length == 0 ? 1 : _subsystem.Resources.Interrupts.SecondaryMax);
            var builder = new NvmeFunctionBuilder(_subsystem, Identity, mappedDoorbells, logger);
            var physical = builder.Physical(addresses[0], definition, virtualLayout);
            _functions.Add(physical.Function);
            _subsystem.Add(physical.Controller);
            _iov = physical.Iov;
            foreach (var own in virtuals)
            {
                var (function, controller) = builder.Virtual(addresses[own.Index + 1], own, virtualLayout, physical.Function, _iov!);
                _functions.Add(function);
                _subsystem.AddSecondary(controller, own.Index, own.Queues + 1, own.Vectors, own.Online);
            }

            _channel = new(physical.Controller, addresses[0]);
            Attach(definition);
            PowerOn(virtuals.Length);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    internal override IReadOnlyList<SimulatedFunction> Functions => _functions;

    internal override IEnumerable<(ICrank Crank, string Name)> Cranks
        => _subsystem.Controllers.Select((c, i) => ((ICrank)c, $"nvme {_functions[i].Address}"));

    internal NvmeSubsystem Nvme => _subsystem;

    internal static NvmeModel Build(NvmeDefinition definition, StorageFolder storage, bool mappedDoorbells, ILogger logger)
        => new(definition, storage, mappedDoorbells, logger);

    internal override IControllingFunction? ControllerOf(PciAddress controlled)
        => _functions.Skip(1).Any(f => f.Address == controlled) ? _channel : null;

    public override void Dispose()
    {
        foreach (var function in _functions)
            function.Dispose();
        foreach (var target in _subsystem.Namespaces)
            target.Storage.Dispose();
    }

    private static NvmeSubsystem Subsystem(NvmeDefinition definition)
    {
        var virtuals = Enumerable.Range(0, definition.VirtualFunctions.Count).Select(definition.VirtualFunction).ToArray();
        // A controller's queues include the admin queue. At power-on all flexible resources are with the VFs.
        return new()
        {
            Nqn = definition.Nqn,
            Serial = definition.Serial,
            ModelNumber = definition.ModelNumber,
            PciId = Identity,
            Resources = new(
                Pool(definition.Queues + 1, [.. virtuals.Select(v => v.Queues + 1)]),
                Pool(definition.Vectors, [.. virtuals.Select(v => v.Vectors)])),
        };
    }

    private static ResourcePool Pool(int own, int[] virtuals)
        => new() { Private = own, Flexible = virtuals.Sum(), SecondaryMax = virtuals.DefaultIfEmpty().Max() };

    private void AddNamespace(NamespaceDefinition target, StorageFolder storage)
    {
        // The subsystem's name keeps apart what several subsystems store in one directory.
        var subsystem = string.Concat(_subsystem.Nqn.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' ? c : '_'));
        var blocks = storage.Open(target.File, $"{subsystem}-{target.Id}.raw", target.Size);
        _subsystem.Add(new NvmeNamespace(target.Id, System.Numerics.BitOperations.Log2((uint)target.BlockSize), blocks, _subsystem.Nqn));
    }

    private void Attach(NvmeDefinition definition)
    {
        foreach (var target in definition.Namespaces)
        {
            var attached = _subsystem.Namespace(target.Id)!;
            var controllers = _subsystem.Controllers.Where((_, i) => target.IsAttachedTo(i - 1)).ToArray();
            attached.IsShared = controllers.Length > 1;
            foreach (var controller in controllers)
                controller.Namespaces.Attach(attached);
        }
    }

    // Errors are reported and VFs are there as if a host had asked for them, so that functions can be assigned at once.
    private void PowerOn(int virtuals)
    {
        _functions[0].Errors.Enable();
        if (_iov is null)
            return;
        _subsystem.IsVirtualFunctionEnabled = _iov.IsEnabled;
        _iov.Enable(virtuals);
        _iov.Disabled = () => _ = ResetVirtualFunctionsAsync();
        // Resetting the PF has cleared VF Enable: nothing of the VFs may be left when it answers again.
        _functions[0].AfterReset = ResetVirtualFunctionsAsync;
    }

    private async Task ResetVirtualFunctionsAsync()
    {
        await _subsystem.TakeAllOfflineAsync().ConfigureAwait(false);
        await Task.WhenAll(_functions.Skip(1).Select(f => f.ResetAsync())).ConfigureAwait(false);
    }
}
