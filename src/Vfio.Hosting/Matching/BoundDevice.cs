using Vfio.Hosting.Devices;

namespace Vfio.Hosting;

/// <summary>A driver's device over a function, behind its guard.</summary>
/// <param name="Driver">The driver's name.</param>
/// <param name="Degraded">What is missing; null if nothing is.</param>
/// <param name="Device">The device.</param>
internal sealed record BoundDevice(string Driver, string? Degraded, GuardedDevice Device);
