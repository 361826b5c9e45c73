using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Hardware;

/// <summary>How a function can be reset: by its capabilities, and by its bus where it is alone there.</summary>
internal static class ResetInference
{
    public static (IReadOnlyList<FunctionResetMethod> Methods, bool Works) Of(RecordedDevice device, RecordedHardware hardware)
    {
        var methods = Methods(hardware);
        var promised = device.Of("device_info", "flags").FirstOrDefault() is { } info
            ? ((DeviceFlags)info.Number("flags")).HasFlag(DeviceFlags.Reset) : (bool?)null;
        if (methods.Count == 0 && hardware.Neighbours == 1)
        {
            methods.Add(FunctionResetMethod.Bus);
        }
        else if (methods.Count == 0 && promised == true && device.Of("hot_reset_info").Count == 0)
        {
            hardware.Notes.Add("it could be reset and has no capability for it: taken to be alone on a bus of its own (device_info)");
            methods.Add(FunctionResetMethod.Bus);
        }

        // One row may be wrong; two that agree tell of a reset that this host could not make.
        if (methods.Count == 0 || promised != false || !device.Of("reset", "errno").Any(row => row.Number("errno") != 0))
            return (methods, methods.Count > 0);
        hardware.Notes.Add("a reset that should work failed when it was recorded (device_info, reset)");
        return (methods, false);
    }

    private static List<FunctionResetMethod> Methods(RecordedHardware hardware)
    {
        var methods = new List<FunctionResetMethod>();
        if (hardware.Standard(Registers.Express) is > 0 and var express
            && (ConfigBytes.Load(hardware.BeforeOpen, express + Registers.DeviceCapabilities, 4) & Registers.FlrCapable) != 0)
        {
            methods.Add(FunctionResetMethod.Flr);
        }

        if (hardware.Standard(Registers.AdvancedFeatures) is > 0 and var af
            && (hardware.BeforeOpen[af + Registers.AfCapabilities] & Registers.AfResets) == Registers.AfResets)
        {
            methods.Add(FunctionResetMethod.AfFlr);
        }

        if (hardware.Standard(Registers.PowerManagement) is > 0 and var power
            && (ConfigBytes.Load(hardware.BeforeOpen, power + Registers.PowerControl, 2) & Registers.NoSoftReset) == 0)
        {
            methods.Add(FunctionResetMethod.PowerManagement);
        }

        return methods;
    }
}
