namespace Vfio.Simulation.Nvme;

/// <summary>
/// Queues or interrupts of a subsystem: those that belong to the primary controller, and those that it may give to itself and to secondary
/// ones. Guarded by the subsystem. Source: NVM Express Base Specification 1.4, 8.5.
/// </summary>
internal sealed class ResourcePool
{
    /// <summary>How many can be given away.</summary>
    internal required int Flexible { get; init; }

    /// <summary>How many the primary controller always has.</summary>
    internal required int Private { get; init; }

    /// <summary>The most that one secondary controller may have.</summary>
    internal required int SecondaryMax { get; init; }

    /// <summary>How many of the flexible ones the primary controller has now.</summary>
    internal int AssignedToPrimary { get; private set; }

    /// <summary>How many the primary controller will have after its next reset; they are taken from the pool already.</summary>
    internal int NextToPrimary { get; private set; }

    /// <summary>How many the secondary controllers have.</summary>
    internal int AssignedToSecondaries { get; private set; }

    internal bool TryAllocateToPrimary(int count)
    {
        if (count > Flexible - AssignedToSecondaries)
            return false;
        NextToPrimary = count;
        return true;
    }

    internal void ApplyToPrimary() => AssignedToPrimary = NextToPrimary;

    /// <summary>Gives a secondary controller another number than it has.</summary>
    internal bool TryAssign(int had, int count)
    {
        var taken = Math.Max(AssignedToPrimary, NextToPrimary);
        if (count > SecondaryMax || count - had > Flexible - taken - AssignedToSecondaries)
            return false;
        AssignedToSecondaries += count - had;
        return true;
    }
}

/// <summary>The two kinds of resources.</summary>
internal sealed record ResourcePools(ResourcePool Queues, ResourcePool Interrupts);

/// <summary>A secondary controller: what it was given, and whether it is online. Guarded by the subsystem.</summary>
internal sealed class SecondaryController(NvmeController controller, int virtualFunctionIndex)
{
    internal NvmeController Controller => controller;

    internal int VirtualFunctionIndex => virtualFunctionIndex;

    /// <summary>Queue pairs, the admin pair included.</summary>
    internal int Queues { get; set; }

    internal int Interrupts { get; set; }

    internal bool IsOnline { get; set; }

    /// <summary>What it takes to go online: an interrupt, the admin queue and an I/O queue.</summary>
    internal bool CanGoOnline => Interrupts >= 1 && Queues >= 2;
}
