namespace Vfio.Simulation.Driving;

/// <summary>A device as a state machine: whoever drives it turns its crank, and calls all of this from one thread.</summary>
internal interface ICrank
{
    /// <summary>Called by the device when there may be work; set by the driver. May come from any thread.</summary>
    Action WakeDriver { set; }

    /// <summary>One step.</summary>
    /// <returns>Whether there was work.</returns>
    bool Poll();

    /// <summary>The driver is about to sleep until it is woken.</summary>
    /// <returns>False: there is work after all.</returns>
    bool Arm();

    /// <summary>A step threw: the device is at fault and must not be relied on.</summary>
    void Fault(Exception exception);

    /// <summary>The crank is not turned any more.</summary>
    void Stopped();
}
