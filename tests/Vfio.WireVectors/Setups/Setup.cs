using Vfio.User;

namespace Vfio.WireVectors.Setups;

/// <summary>What a vector's server has under it: README.md, "Set-ups".</summary>
/// <param name="Name">As the vectors name it.</param>
internal sealed record Setup(string Name)
{
    private const int MostDmaMaps = 64;

    /// <summary>PCI Express, with 4096 bytes of configuration space; 256 otherwise.</summary>
    public bool IsExpress { get; init; }

    /// <summary>Whether configuration space has the capability of PCI Express too: without it no device reports errors.</summary>
    public bool HasExpressCapability { get; init; }

    public IReadOnlyList<BarSpec> Bars { get; init; } = [];

    public IReadOnlyList<CapabilitySpec> Capabilities { get; init; } = [];

    public bool HasIntx { get; init; }

    public int MsiVectors { get; init; }

    public int MsixVectors { get; init; }

    /// <summary>A register window in BAR0 through which a vector tells the device what to do.</summary>
    public bool HasDoorbell { get; init; }

    public bool HasDma { get; init; }

    public bool Migrates { get; init; }

    /// <summary>The region and the places that eventfds stand for; which eventfd, -1 for none.</summary>
    public (int Region, IReadOnlyList<int> EventFds)? IoEventFds { get; init; }

    /// <summary>What every byte of configuration space reads as; null: configuration space.</summary>
    public byte? ConfigFill { get; init; }

    public VfioUserServerOptions Options => new() { Name = Name, MaxDmaMaps = MostDmaMaps };

    public static IReadOnlyList<Setup> All => SetupTable.All;

    public static Setup? Find(string name) => All.FirstOrDefault(setup => setup.Name == name);

    public SetupDevice Make() => new(this);
}

/// <summary>A BAR.</summary>
/// <param name="Index">Which.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Kind">What it decodes.</param>
internal sealed record BarSpec(int Index, ulong Size, BarKind Kind = BarKind.Memory32)
{
    public bool IsPrefetchable { get; init; }

    /// <summary>Where the region is in its file, and which parts may be mapped; null: none.</summary>
    public (long FileOffset, IReadOnlyList<RegionArea> Areas)? Mapping { get; init; }
}

/// <summary>A capability, as the hardware has it.</summary>
/// <param name="Offset">Where.</param>
/// <param name="Bytes">All of it, the link to the next included.</param>
internal sealed record CapabilitySpec(int Offset, byte[] Bytes)
{
    /// <summary>Which of its bits the hardware lets change, from its start; none behind the end.</summary>
    public byte[] Writable { get; init; } = [];
}
