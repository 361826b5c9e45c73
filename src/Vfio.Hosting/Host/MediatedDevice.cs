namespace Vfio.Hosting;

/// <summary>A software-mediated device of a host. Made for people and for JSON.</summary>
/// <param name="Name">The name that it was added with.</param>
/// <param name="Id">What it says it is; null if it does not say so while it is closed.</param>
/// <param name="Migration">What it can do, as <see cref="FunctionMatch.Migration"/> has it.</param>
/// <param name="Device">Its state; null if it could not be created.</param>
/// <param name="Reason">Why it could not be created; null if it was.</param>
public sealed record MediatedDevice(string Name, PciId? Id, IReadOnlyList<string> Migration, DeviceDescription? Device, string? Reason);

/// <summary>A software-mediated device that was added to a host, and how it is made.</summary>
internal sealed record MediatedDeviceRegistration(string Name, Func<IServiceProvider, VfioDevice> Create);
