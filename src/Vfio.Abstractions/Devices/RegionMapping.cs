using Microsoft.Win32.SafeHandles;

namespace Vfio;

/// <summary>How a region's mappable areas are reached: one file for the whole region, and in process an address.</summary>
/// <remarks>
/// The handle belongs to the device and lives until it is closed; a front end that passes it on duplicates it (SCM_RIGHTS does).
/// </remarks>
public sealed record RegionMapping
{
    /// <summary>The file that holds the region.</summary>
    public required SafeFileHandle File { get; init; }

    /// <summary>Where in the file the region starts; an area lies at this plus its own offset.</summary>
    public long FileOffset { get; init; }

    /// <summary>The areas that may be mapped, ascending, page aligned.</summary>
    public required IReadOnlyList<RegionArea> Areas { get; init; }

    /// <summary>
    /// The region's address in this process; 0 if it is not mapped here. Only the areas may be touched, and only until the device closes.
    /// </summary>
    public nint Address { get; init; }
}
