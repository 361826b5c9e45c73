using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Hardware;

/// <summary>How a function can be reset, from its capabilities; what they cannot tell, from the recording's device_info.</summary>
internal static class ResetInference
{
    public static (IReadOnlyList<FunctionResetMethod> Methods, bool Works) Of(RecordedDevice device, RecordedHardware hardware)
    {
        var methods = Methods(hardware);
        if (device.Of("device_info", "flags").FirstOrDefault() is not { } info)
            return (methods, methods.Count > 0);
        var works = ((DeviceFlags)info.Number("flags")).HasFlag(DeviceFlags.Reset);
        if (works && methods.Count == 0)
        {
            hardware.Notes.Add("it could be reset and has no capability for it: taken to be alone on a bus of its own (device_info)");
            return ([FunctionResetMethod.Bus], true);
        }

        if (!works && methods.Count > 0)
            hardware.Notes.Add("its capabilities promise a reset that failed when it was recorded (device_info)");
        return (methods, works);
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
