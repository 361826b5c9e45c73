using Vfio.Hosting.Devices;

namespace Vfio.Hosting;

/// <summary>A driver's device over a function, behind its guard.</summary>
/// <param name="Driver">The driver's name.</param>
/// <param name="Degraded">What is missing; null if nothing is.</param>
/// <param name="Device">The device.</param>
/// <param name="Profile">The profile that was chosen when it was bound.</param>
/// <param name="Profiles">The profiles to choose from.</param>
/// <param name="Migration">What it can do, as <see cref="FunctionMatch.Migration"/> has it.</param>
internal sealed record BoundDevice(
    string Driver,
    string? Degraded,
    GuardedDevice Device,
    string Profile,
    IReadOnlyList<string> Profiles,
    IReadOnlyList<string> Migration)
{
    /// <summary>What is known of a device once it is there.</summary>
    public static BoundDevice Of(string driver, string? degraded, GuardedDevice device)
    {
        var profiles = device.Profiles;
        return new(
            driver,
            degraded,
            device,
            profiles?.Current ?? IProfiles.Native,
            profiles is null ? [IProfiles.Native] : [.. profiles.Available],
            MigrationFlags(device));
    }

    /// <summary>The device, for people.</summary>
    /// <param name="use">What it is in use for; null if it is free.</param>
    public DeviceDescription Describe(string? use)
        => new(Driver, Degraded, Device.Profiles?.Current ?? IProfiles.Native, use, Device.Fault, [.. Device.Describe()]);

    private static List<string> MigrationFlags(GuardedDevice device)
    {
        var flags = new List<string>();
        var capabilities = device.MigrationOps?.Capabilities ?? MigrationCapabilities.None;
        if (capabilities.HasFlag(MigrationCapabilities.StopCopy))
        {
            flags.Add("stop-copy");
            if (capabilities.HasFlag(MigrationCapabilities.P2P))
                flags.Add("p2p");
            if (capabilities.HasFlag(MigrationCapabilities.PreCopy))
                flags.Add("pre-copy");
        }

        if (device.DmaLogging is not null)
            flags.Add("dirty-tracking");
        return flags;
    }
}
