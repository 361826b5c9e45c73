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
    IReadOnlyList<string> Migration);
