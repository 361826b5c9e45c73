using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Nvme.Storage;

namespace Vfio.Simulation.Nvme;

/// <summary>
/// What all controllers of a subsystem have in common, and what the primary controller rules: secondary controllers and resources.
/// Thread-safe.
/// </summary>
internal sealed class NvmeSubsystem
{
    internal const string FirmwareRevision = "1.0";
    private readonly Lock _sync = new();
    private readonly List<NvmeController> _controllers = [];
    private readonly List<SecondaryController> _secondaries = [];
    private readonly List<NvmeNamespace> _namespaces = [];

    internal required string Nqn { get; init; }

    internal required string Serial { get; init; }

    internal required string ModelNumber { get; init; }

    internal required PciId PciId { get; init; }

    internal required ResourcePools Resources { get; init; }

    /// <summary>Whether a VF exists now.</summary>
    internal Func<int, bool> IsVirtualFunctionEnabled { get; set; } = static _ => false;

    /// <summary>The controllers by id. Fixed once the topology is built, like the secondaries and namespaces.</summary>
    internal IReadOnlyList<NvmeController> Controllers => _controllers;

    internal IReadOnlyList<SecondaryController> Secondaries => _secondaries;

    internal IReadOnlyList<NvmeNamespace> Namespaces => _namespaces;

    internal NvmeController Primary => _controllers[0];

    /// <summary>NN: the highest namespace id there can be.</summary>
    internal uint LastNamespaceId => _namespaces.Count == 0 ? 0 : _namespaces[^1].Id;

    internal NvmeNamespace? Namespace(uint id) => _namespaces.Find(n => n.Id == id);

    /// <summary>The first controller is the primary one.</summary>
    internal void Add(NvmeController controller) => _controllers.Add(controller);

    /// <summary>In the order of their ids.</summary>
    internal void Add(NvmeNamespace added) => _namespaces.Add(added);

    /// <summary>A secondary controller with what it has at power-on.</summary>
    /// <exception cref="VfioException">The pool does not hold so much.</exception>
    internal void AddSecondary(NvmeController controller, int virtualFunctionIndex, int queues, int interrupts, bool online)
    {
        var secondary = new SecondaryController(controller, virtualFunctionIndex);
        _controllers.Add(controller);
        _secondaries.Add(secondary);
        if (!Resources.Queues.TryAssign(0, queues) || !Resources.Interrupts.TryAssign(0, interrupts))
            throw new VfioException(Errno.ENOSPC, $"{Nqn}: VF {virtualFunctionIndex} asks for more queues or vectors than there are");
        secondary.Queues = queues;
        secondary.Interrupts = interrupts;
        secondary.IsOnline = online && secondary.CanGoOnline;
        Equip(secondary);
        if (!secondary.IsOnline)
            controller.SetOnline(false);
    }

    /// <summary>Gives the primary controller flexible resources from its next reset on.</summary>
    internal CommandResult AllocateToPrimary(bool interrupts, int count)
    {
        lock (_sync)
        {
            return Pool(interrupts).TryAllocateToPrimary(count)
                ? new CommandResult(NvmeStatus.Success, (uint)count)
                : NvmeStatus.InvalidControllerResources;
        }
    }

    /// <summary>Assigns flexible resources to an offline secondary controller.</summary>
    internal CommandResult Assign(SecondaryController secondary, bool interrupts, int count)
    {
        lock (_sync)
        {
            if (secondary.IsOnline)
                return NvmeStatus.InvalidSecondaryControllerState;
            var had = interrupts ? secondary.Interrupts : secondary.Queues;
            if (!Pool(interrupts).TryAssign(had, count))
                return NvmeStatus.InvalidControllerResources;
            if (interrupts)
                secondary.Interrupts = count;
            else
                secondary.Queues = count;
            return new CommandResult(NvmeStatus.Success, (uint)count);
        }
    }

    /// <summary>Brings a secondary controller online, with what it was assigned.</summary>
    internal async Task<CommandResult> BringOnlineAsync(SecondaryController secondary)
    {
        lock (_sync)
        {
            if (secondary.IsOnline)
                return NvmeStatus.Success;
            if (!secondary.CanGoOnline || !IsVirtualFunctionEnabled(secondary.VirtualFunctionIndex))
                return NvmeStatus.InvalidSecondaryControllerState;
            secondary.IsOnline = true;
        }

        await secondary.Controller.PostAsync(() =>
        {
            Equip(secondary);
            secondary.Controller.SetOnline(true);
        }).ConfigureAwait(false);
        return NvmeStatus.Success;
    }

    /// <summary>Takes a secondary controller offline: it stops at once, and its resources go back.</summary>
    internal async Task<CommandResult> TakeOfflineAsync(SecondaryController secondary)
    {
        var controller = secondary.Controller;
        lock (_sync)
        {
            // Giving back is always possible.
            _ = Resources.Queues.TryAssign(secondary.Queues, 0);
            _ = Resources.Interrupts.TryAssign(secondary.Interrupts, 0);
            secondary.Queues = 0;
            secondary.Interrupts = 0;
            if (!secondary.IsOnline)
                return NvmeStatus.Success;
            secondary.IsOnline = false;
            controller.ShowOffline();
        }

        await controller.Dma.HaltAsync(() => controller.PostAsync(() => controller.SetOnline(false))).ConfigureAwait(false);
        return NvmeStatus.Success;
    }

    /// <summary>What a reset or shutdown of the primary controller, and VF Enable going away, do to the secondary ones.</summary>
    internal Task TakeAllOfflineAsync() => Task.WhenAll(_secondaries.Select(TakeOfflineAsync));

    /// <summary>Attaches a namespace to a controller in use, whose host is told.</summary>
    internal Task AttachAsync(NvmeNamespace target, NvmeController controller)
    {
        lock (_sync)
        {
            controller.Namespaces.Attach(target);
            target.IsShared |= _controllers.Count(c => c.Namespaces.Find(target.Id) is not null) > 1;
        }

        return controller.PostAsync(() => controller.NoticeNamespace(target.Id));
    }

    /// <summary>The primary controller was reset: what it was allocated is its own now.</summary>
    internal void ApplyPrimaryResources()
    {
        lock (_sync)
        {
            Resources.Queues.ApplyToPrimary();
            Resources.Interrupts.ApplyToPrimary();
            Primary.QueuePairs = Math.Min(Resources.Queues.Private + Resources.Queues.AssignedToPrimary - 1, Primary.MaxQueuePairs);
            Primary.Interrupts.Resize(Resources.Interrupts.Private + Resources.Interrupts.AssignedToPrimary);
        }
    }

    /// <summary>NVM subsystem reset, asked for through any of its controllers; the secondary controllers go offline with it.</summary>
    internal Task ResetAsync() => Primary.PostAsync(() => Primary.Reset(bySubsystem: true));

    private static void Equip(SecondaryController secondary)
    {
        secondary.Controller.QueuePairs = Math.Max(secondary.Queues - 1, 0);
        secondary.Controller.Interrupts.Resize(secondary.Interrupts);
    }

    private ResourcePool Pool(bool interrupts) => interrupts ? Resources.Interrupts : Resources.Queues;
}
