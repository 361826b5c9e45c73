using Vfio.Hosting.Plugins;

namespace Vfio.Hosting;

/// <summary>The state of a host: what a bug report should hold. Made for people and for JSON.</summary>
/// <param name="Contract">The version of the contract that the host has.</param>
/// <param name="Runtime">The runtime and the system.</param>
/// <param name="Functions">Every function.</param>
/// <param name="Drivers">Every driver.</param>
/// <param name="Plugins">Every plugin folder that was looked at.</param>
/// <param name="MediatedDevices">Every software-mediated device.</param>
public sealed record HostDescription(
    string Contract,
    string Runtime,
    IReadOnlyList<FunctionDescription> Functions,
    IReadOnlyList<DriverStatus> Drivers,
    IReadOnlyList<PluginStatus> Plugins,
    IReadOnlyList<MediatedDevice> MediatedDevices);

/// <summary>A function in a host's description.</summary>
/// <param name="Address">Its address.</param>
/// <param name="Id">Vendor and device.</param>
/// <param name="Source">Where it comes from: <c>simulation</c>, <c>linux</c>, <c>remote</c>.</param>
/// <param name="Model">The simulated model; null if there is none.</param>
/// <param name="PhysicalFunction">The PF of a VF; null otherwise.</param>
/// <param name="Controller">Its controlling function; null if it has none.</param>
/// <param name="Device">Its device; null if nobody has asked for it yet.</param>
public sealed record FunctionDescription(
    string Address, string Id, string Source, string? Model, string? PhysicalFunction, string? Controller, DeviceDescription? Device);

/// <summary>A device in a host's description.</summary>
/// <param name="Driver">The driver that serves it.</param>
/// <param name="Degraded">What is missing; null if nothing is.</param>
/// <param name="Profile">The profile that is chosen.</param>
/// <param name="Use">What it is in use for; null if it is free.</param>
/// <param name="Fault">Why it is broken; null if it is not.</param>
/// <param name="Rows">What its driver says of it: name and value.</param>
public sealed record DeviceDescription(
    string Driver, string? Degraded, string Profile, string? Use, string? Fault, IReadOnlyList<KeyValuePair<string, string>> Rows);
