namespace Vfio.Core;

/// <summary>
/// Every driver that a host knows, and which of them is for a function: a driver asked for by name, else the entry with the fewest
/// wildcards, else the driver that was registered first; the generic driver last. Thread-safe.
/// </summary>
/// <remarks>
/// The functions asked about are in vfio mode, so override-only entries count. Source: libvirt's choice over <c>modules.alias</c>, and the
/// PCI core's <c>driver_override</c>, which binds a driver that was named even where its table lists nothing that fits.
/// </remarks>
public sealed class DriverTable
{
    private readonly Lock _registering = new();
    private volatile RegisteredDriver[] _drivers = [];

    /// <summary>The drivers, in the order of their registration.</summary>
    public IReadOnlyList<RegisteredDriver> Drivers => _drivers;

    /// <summary>Adds a driver.</summary>
    /// <param name="driver">The driver.</param>
    /// <param name="origin">Where it came from, for people: "plugin x 0.1.0", "built in".</param>
    /// <exception cref="VfioException">EEXIST: a driver of this name is there.</exception>
    public void Register(VariantDriver driver, string origin)
    {
        lock (_registering)
        {
            if (Find(driver.Name) is { } other)
                throw new VfioException(Errno.EEXIST, $"Driver '{driver.Name}' ({origin}) is already registered by {other.Origin}: remove one of the two.");
            _drivers = [.. _drivers, new(driver, origin)];
        }
    }

    /// <summary>What each driver is for a function: best first, then those that would be asked next, then the losers.</summary>
    /// <param name="id">The function's identity.</param>
    /// <param name="driverName">The driver asked for by name; null to let the ids decide.</param>
    /// <returns>One candidate for each registered driver. Nothing is eligible if the driver asked for is not registered.</returns>
    public IReadOnlyList<DriverCandidate> Candidates(in PciId id, string? driverName)
    {
        var drivers = _drivers;
        var matches = new (RegisteredDriver Registered, PciIdMatch? Entry)[drivers.Length];
        for (var i = 0; i < drivers.Length; i++)
            matches[i] = (drivers[i], BestEntry(drivers[i].Driver, id));
        return driverName is null ? ByIds(matches, id) : ByName(matches, id, driverName);
    }

    private static DriverCandidate[] ByIds((RegisteredDriver Registered, PciIdMatch? Entry)[] matches, PciId id)
    {
        // A stable sort: equals stay in the order of their registration.
        var ordered = matches.OrderBy(m => m.Entry is null ? 2 : m.Registered.Driver is GenericDriver ? 1 : 0).ThenBy(m => m.Entry?.Wildcards).ToArray();
        var best = ordered.Length > 0 && ordered[0].Entry is not null ? ordered[0] : default;
        return [.. ordered.Select(m => new DriverCandidate(m.Registered, m.Entry, m.Entry is not null, Reason(m.Registered, m.Entry, best, id)))];
    }

    private static string Reason(
        RegisteredDriver driver, PciIdMatch? entry, (RegisteredDriver Registered, PciIdMatch? Entry) best, PciId id)
    {
        if (entry is null)
            return $"none of its {driver.Driver.Ids.Count} id entries matches {Describe(id)}";
        if (driver == best.Registered)
            return $"matches {entry} with {Wildcards(entry)}, the fewest";
        if (driver.Driver is GenericDriver)
            return $"the generic driver comes last: '{best.Registered.Driver.Name}' knows the function";
        return entry.Wildcards == best.Entry!.Wildcards
            ? $"matches with {Wildcards(entry)}, as '{best.Registered.Driver.Name}' does, which was registered first"
            : $"matches with {Wildcards(entry)}; '{best.Registered.Driver.Name}' has {best.Entry.Wildcards}";
    }

    private static DriverCandidate[] ByName((RegisteredDriver Registered, PciIdMatch? Entry)[] matches, PciId id, string name)
    {
        var known = matches.Any(m => IsNamed(m.Registered, name));
        var lost = known ? $"'{name}' was asked for by name" : $"'{name}' was asked for by name, and no such driver is registered";
        return [.. matches.OrderBy(m => IsNamed(m.Registered, name) ? 0 : 1).Select(m => IsNamed(m.Registered, name)
            ? new DriverCandidate(m.Registered, m.Entry, true, m.Entry is null
                ? $"was asked for by name; its id table does not list {Describe(id)}"
                : $"was asked for by name, and matches {m.Entry}")
            : new DriverCandidate(m.Registered, m.Entry, false, lost))];
    }

    private RegisteredDriver? Find(string name) => Array.Find(_drivers, d => IsNamed(d, name));

    private static bool IsNamed(RegisteredDriver registered, string name) => string.Equals(registered.Driver.Name, name, StringComparison.Ordinal);

    private static PciIdMatch? BestEntry(VariantDriver driver, PciId id) => driver.Ids.Where(e => e.Matches(id)).MinBy(e => e.Wildcards);

    private static string Wildcards(PciIdMatch entry) => entry.Wildcards == 1 ? "1 wildcard" : $"{entry.Wildcards} wildcards";

    private static string Describe(PciId id)
        => $"{id.Vendor:x4}:{id.Device:x4} (subsystem {id.SubsystemVendor:x4}:{id.SubsystemDevice:x4}, class {id.ClassCode:x6})";
}
